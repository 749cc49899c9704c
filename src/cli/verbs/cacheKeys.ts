import { Command } from "commander";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addCacheOptions, type CacheOptions } from "../options.ts";
import { cacheRequest } from "../requests.ts";

/** `cache keys`: whose packages a cache has. */
export function cacheKeysVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("keys")
    .summary("list the keys that caches publish, and whether they are trusted here")
    .description(
      "Lists the OpenPGP keys that the caches publish and those that are trusted for them. That a cache publishes a key proves nothing: compare the fingerprint with what its owner tells you by another way before you trust it.",
    );
  return addCacheOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers cache keys
  $ spacktainers cache keys --cache https://cache.example.org/public --json`,
    )
    .action(
      verbAction<CacheOptions>(program, outcome, async (context, options) => {
        const { listKeys } = await import("../../commands/cache/listKeys.ts");
        const { keysText } = await import("../cacheText.ts");
        const keys = await listKeys(cacheRequest(context, options));
        context.reporter.close();
        context.print(context.json ? JSON.stringify({ type: "result", keys }) : keysText(keys));
        return 0;
      }),
    );
}
