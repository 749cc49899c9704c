import { Command } from "commander";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addCacheOptions, type CacheOptions } from "../options.ts";
import { cacheRequest } from "../requests.ts";
import { resultLine } from "../resultLine.ts";

/** `cache show`: one package. */
export function cacheShowVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("show")
    .summary("show a package: its spec, dependencies, caches and signatures")
    .description(
      "Shows the one package that satisfies SPEC: its spec, its dependencies with their hashes, and for each cache that has it the archive, digest, size, signature and the prefix it was built for. Warns if the signature is not trusted here.",
    )
    .argument("<spec...>", "a spec, or a hash (/abcdefg for the beginning of one)");
  return addCacheOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers cache show mpich
  $ spacktainers cache show /5safix3 --json`,
    )
    .action(
      verbAction<CacheOptions>(program, outcome, async (context, options, spec) => {
        const { showPackage } = await import("../../commands/cache/showPackage.ts");
        const { shownText } = await import("../cacheText.ts");
        const shown = await showPackage({ ...cacheRequest(context, options), spec });
        context.reporter.close();
        context.print(context.json ? resultLine("cache show", shown) : shownText(shown));
        return 0;
      }),
    );
}
