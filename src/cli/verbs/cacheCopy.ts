import { Command } from "commander";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addTargetOptions, collect, positiveInteger, type TargetCacheOptions } from "../options.ts";
import { cacheRequest, targetRequest } from "../requests.ts";
import { resultLine } from "../resultLine.ts";

interface CopyOptions extends TargetCacheOptions {
  readonly trust?: readonly string[];
  readonly fromUnsigned?: boolean;
  readonly closure: boolean;
  readonly withBuild?: boolean;
  readonly replace?: boolean;
  readonly dryRun?: boolean;
  readonly jobs?: number;
}

/** `cache copy`: packages of one cache into another. */
export function cacheCopyVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("copy")
    .summary("copy packages and their dependencies into another cache")
    .description(
      "Copies the packages of FROM that satisfy any SPEC into TO, with everything that they need at run time. Verifies each package as a build would, and signs it again. Skips packages that TO already has, so you can run the same command again to continue after an interruption.",
    )
    .argument("<from>", "URL or path of a build cache")
    .argument("<to>", "URL or path of the build cache to write to; it need not exist yet")
    .argument("[specs...]", "specs or hashes (default: everything)");
  return addTargetOptions(command)
    .option(
      "--trust <keyfile>",
      "trust this OpenPGP public key in addition to those configured for a cache (repeatable)",
      collect,
    )
    .option(
      "--from-unsigned",
      "read FROM as a cache without signatures, such as a registry (default: as configured)",
    )
    .option("--no-closure", "copy only the packages that satisfy a SPEC, without their dependencies")
    .option("--with-build", "also copy the build dependencies that FROM has")
    .option("--replace", "replace packages that TO already has")
    .option("-n, --dry-run", "only show which packages would be copied")
    .option(
      "-j, --jobs <n>",
      "number of packages to handle at a time (default: two per core, at most 8)",
      positiveInteger,
    )
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers cache copy s3://staging s3://production hdf5+mpi --sign keys/cache.key
  $ spacktainers cache copy https://cache.example.org /media/disk/cache --trust keys/them.pub --sign gpg://FINGERPRINT
  $ spacktainers cache copy s3://group-cache ./mirror --unsigned --dry-run`,
    )
    .action(
      verbAction<CopyOptions>(program, outcome, async (context, options, [from = "", to = "", ...specs]) => {
        const { copyPackages } = await import("../../commands/cache/copyPackages.ts");
        const { copyText } = await import("../cacheText.ts");
        const report = await copyPackages({
          ...cacheRequest(context, options),
          ...targetRequest(options),
          from,
          to,
          specs,
          fromUnsigned: options.fromUnsigned === true,
          closure: options.closure,
          withBuild: options.withBuild === true,
          replace: options.replace === true,
          dryRun: options.dryRun === true,
          jobs: options.jobs,
        });
        context.reporter.close();
        context.print(context.json ? resultLine("cache copy", report) : copyText(report));
        return 0;
      }),
    );
}
