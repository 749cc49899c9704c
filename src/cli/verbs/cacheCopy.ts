import { Command } from "commander";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addTargetOptions, collect, positiveInteger, type TargetCacheOptions } from "../options.ts";
import { cacheRequest, targetRequest } from "../requests.ts";

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
    .summary("copy packages into another cache, with what they need")
    .description(
      "Copies the packages of FROM that satisfy any of SPECs into TO, with everything that they need at run time. Each is verified as for use, and signed again. What TO has already is left alone, so that the same command goes on after an interruption.",
    )
    .argument("<from>", "URL or path of a build cache")
    .argument("<to>", "URL or path of the one to write into; it need not be there yet")
    .argument("[specs...]", "specs or hashes; none: everything");
  return addTargetOptions(command)
    .option(
      "--trust <keyfile>",
      "OpenPGP public key whose signatures are trusted, besides those configured for a cache (repeatable)",
      collect,
    )
    .option(
      "--from-unsigned",
      "FROM is a cache without signatures, such as a registry (default: as configured)",
    )
    .option("--no-closure", "the packages that satisfy a SPEC alone, without what they need")
    .option("--with-build", "with what they were built with, as far as FROM has it")
    .option("--replace", "replace what TO has already")
    .option("-n, --dry-run", "say what would be copied")
    .option("-j, --jobs <n>", "packages at a time (default: two a core, at most 8)", positiveInteger)
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
        context.print(context.json ? JSON.stringify({ type: "result", ...report }) : copyText(report));
        return 0;
      }),
    );
}
