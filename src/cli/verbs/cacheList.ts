import { Command } from "commander";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addCacheOptions, type CacheOptions } from "../options.ts";
import { cacheRequest } from "../requests.ts";
import { resultLine, verbLine } from "../resultLine.ts";

interface ListOptions extends CacheOptions {
  readonly long?: boolean;
  readonly size?: boolean;
}

/** `cache list`: what caches have. */
export function cacheListVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("list")
    .summary("list packages: version, compiler, target, size, variants")
    .description(
      "Lists the packages of the caches that satisfy any SPEC, sorted by name, newest version first. Reads only the indexes, which are not signed and do not record sizes. Asks the caches for the sizes if it lists at most 100 packages, or with --size.",
    )
    .argument("[specs...]", "specs, names of virtual packages, or hashes (default: everything)");
  return addCacheOptions(
    command.option("-l, --long", "show full hashes, and the caches that have each package"),
  )
    .option("--size", "ask for the size of every package, even if there are more than 100")
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers cache list
  $ spacktainers cache list 'hdf5@1.14: +mpi' --long
  $ spacktainers cache list mpi target=x86_64_v3 --cache s3://group-cache --json`,
    )
    .action(
      verbAction<ListOptions>(program, outcome, async (context, options, specs) => {
        const { listPackages } = await import("../../commands/cache/listPackages.ts");
        const { packageColumns, totalsText } = await import("../cacheText.ts");
        const columns = packageColumns(options.long === true);
        const totals = await listPackages(
          { ...cacheRequest(context, options), specs, sizes: options.size === true },
          (packages) => {
            if (context.json)
              for (const one of packages) context.print(verbLine("cache list", { type: "package", ...one }));
            else if (packages.length > 0) context.print(columns(packages));
          },
        );
        context.reporter.close();
        context.print(context.json ? resultLine("cache list", totals) : totalsText(totals));
        return 0;
      }),
    );
}
