import { Command } from "commander";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addCacheOptions, type CacheOptions } from "../options.ts";
import { cacheRequest } from "../requests.ts";
import { resultLine } from "../resultLine.ts";

/** `cache index`: what a cache's index says, made from what is there. */
export function cacheIndexVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("index")
    .summary("rebuild the index of a cache from its packages")
    .description(
      "Makes the index of a cache from all packages in it. Use it if the index is missing or damaged, or if someone pushed packages without updating it. `cache push` and `cache copy` update the index themselves. Without --cache, makes the indexes of the configured caches that have `push: true`.",
    );
  return addCacheOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers cache index
  $ spacktainers cache index --cache s3://group-cache`,
    )
    .action(
      verbAction<CacheOptions>(program, outcome, async (context, options) => {
        const { rebuildIndexes } = await import("../../commands/cache/rebuildIndexes.ts");
        const { indexText } = await import("../cacheText.ts");
        const caches = await rebuildIndexes(cacheRequest(context, options));
        context.reporter.close();
        context.print(context.json ? resultLine("cache index", { caches }) : indexText(caches));
        return 0;
      }),
    );
}
