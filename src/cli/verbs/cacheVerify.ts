import { Command } from "commander";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addCacheOptions, type CacheOptions, positiveInteger } from "../options.ts";
import { cacheRequest } from "../requests.ts";
import { resultLine } from "../resultLine.ts";

interface VerifyOptions extends CacheOptions {
  readonly jobs?: number;
  readonly archives: boolean;
}

/** `cache verify`: whether packages are what they say. */
export function cacheVerifyVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("verify")
    .summary("verify packages: signatures, checksums, archives, dependencies")
    .description(
      "Verifies the packages of the caches that satisfy any SPEC. Verifies each cache's copy separately, without using remembered results: that a trusted key signed it; that the archive has the right length and SHA-256, can be read, is safe and belongs to the package; and that one of the caches has everything it needs at run time. Every finding is an error; if there are any, the exit status is not 0. A run that was interrupted continues where it stopped; --refresh starts again.",
    )
    .argument("[specs...]", "specs or hashes (default: everything)")
    .option(
      "-j, --jobs <n>",
      "number of packages to handle at a time (default: two per core, at most 8)",
      positiveInteger,
    )
    .option("--no-archives", "verify only signatures and spec files, and download no archive");
  return addCacheOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers cache verify
  $ spacktainers cache verify mpich hdf5+mpi --cache s3://group-cache --trust keys/group.pub
  $ spacktainers cache verify --no-archives --json`,
    )
    .action(
      verbAction<VerifyOptions>(program, outcome, async (context, options, specs) => {
        const { verifyPackages } = await import("../../commands/cache/verifyPackages.ts");
        const { verifiedText } = await import("../cacheText.ts");
        const { jobs, archives } = options;
        const { caches, findings } = await verifyPackages({
          ...cacheRequest(context, options),
          specs,
          jobs,
          archives,
        });
        context.reporter.close();
        if (context.json) context.print(resultLine("cache verify", { caches, findings: findings.length }));
        else context.print(verifiedText(caches, findings.length));
        if (findings.length === 0) return 0;
        const { oneError } = await import("../../util/errors.ts");
        throw oneError(findings);
      }),
    );
}
