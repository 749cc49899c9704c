import { Command } from "commander";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addCacheOptions, type CacheOptions, collect } from "../options.ts";
import { cacheRequest } from "../requests.ts";
import { resultLine } from "../resultLine.ts";

interface KeysOptions extends CacheOptions {
  readonly publish?: readonly string[];
  readonly withdraw?: readonly string[];
}

/** `cache keys`: whose packages a cache has. */
export function cacheKeysVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("keys")
    .summary("list or change the keys that caches publish, and show whether they are trusted here")
    .description(
      "Lists the OpenPGP keys that the caches publish and those that are trusted for them. A published key proves nothing by itself: before you trust it, compare its fingerprint with the one that its owner gives you through another channel. --publish and --withdraw change the published keys of the caches that --cache names, or else of the configured caches that have `push: true`.",
    )
    .option("--publish <keyfile>", "publish the public keys in a file (repeatable)", collect)
    .option("--withdraw <fingerprint>", "stop publishing this key (repeatable)", collect);
  return addCacheOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers cache keys
  $ spacktainers cache keys --cache https://cache.example.org/public --json
  $ spacktainers cache keys --publish keys/cache.pub`,
    )
    .action(
      verbAction<KeysOptions>(program, outcome, async (context, options) => {
        const { publish = [], withdraw = [] } = options;
        if (publish.length + withdraw.length > 0) {
          const { publishKeys } = await import("../../commands/cache/publishKeys.ts");
          const keys = await publishKeys({ ...cacheRequest(context, options), publish, withdraw });
          context.reporter.close();
          if (context.json) context.print(resultLine("cache keys", { keys }));
          else for (const one of keys) context.print(`${one.fingerprint}  ${one.outcome}  ${one.cache}`);
          return 0;
        }
        const { listKeys } = await import("../../commands/cache/listKeys.ts");
        const { keysText } = await import("../cacheText.ts");
        const keys = await listKeys(cacheRequest(context, options));
        context.reporter.close();
        context.print(context.json ? resultLine("cache keys", { keys }) : keysText(keys));
        return 0;
      }),
    );
}
