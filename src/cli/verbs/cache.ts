import { Command } from "commander";
import type { VerbOutcome } from "../context.ts";
import { addGlobalOptions } from "../options.ts";
import { cacheCopyVerb } from "./cacheCopy.ts";
import { cacheIndexVerb } from "./cacheIndex.ts";
import { cacheKeysVerb } from "./cacheKeys.ts";
import { cacheListVerb } from "./cacheList.ts";
import { cachePruneVerb } from "./cachePrune.ts";
import { cachePushVerb } from "./cachePush.ts";
import { cacheShowVerb } from "./cacheShow.ts";
import { cacheVerifyVerb } from "./cacheVerify.ts";

/** `cache`: what is in build caches. */
export function cacheVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("cache")
    .summary("list, verify, copy and prune packages in build caches")
    .description(
      "Lists, shows and verifies packages and keys, copies and pushes packages, makes indexes, and removes packages that nothing needs any more. Works on the configured build caches, or on those that --cache names.",
    );
  for (const make of [
    cacheListVerb,
    cacheShowVerb,
    cacheVerifyVerb,
    cacheCopyVerb,
    cachePushVerb,
    cacheIndexVerb,
    cachePruneVerb,
    cacheKeysVerb,
  ])
    command.addCommand(addGlobalOptions(make(program, outcome)).exitOverride());
  return command;
}
