import { Command } from "commander";
import type { VerbOutcome } from "../context.ts";
import { addGlobalOptions } from "../options.ts";
import { cacheKeysVerb } from "./cacheKeys.ts";
import { cacheListVerb } from "./cacheList.ts";
import { cacheShowVerb } from "./cacheShow.ts";
import { cacheVerifyVerb } from "./cacheVerify.ts";

/** `cache`: what is in build caches. */
export function cacheVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("cache")
    .summary("what is in build caches: look, verify, copy, tidy")
    .description(
      "Works on the build caches of the configuration, or on those named by --cache: lists and shows packages and keys, verifies them.",
    );
  for (const make of [cacheListVerb, cacheShowVerb, cacheVerifyVerb, cacheKeysVerb])
    command.addCommand(addGlobalOptions(make(program, outcome)).exitOverride());
  return command;
}
