import { Command } from "commander";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addTargetOptions, collect, type TargetCacheOptions } from "../options.ts";
import { cacheRequest, targetRequest } from "../requests.ts";
import { resultLine } from "../resultLine.ts";

interface PushOptions extends TargetCacheOptions {
  readonly to?: string;
  readonly store?: string;
  readonly trust?: readonly string[];
  readonly closure: boolean;
  readonly withBuild?: boolean;
  readonly replace?: boolean;
  readonly dryRun?: boolean;
}

/** `cache push`: installed packages into a cache. */
export function cachePushVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("push")
    .summary("push packages that Spack has installed, and their dependencies")
    .description(
      "Pushes packages of an install tree into a cache, with everything that they need at run time. The configured Spack packs them; spacktainers signs and sends them. Does not change the install tree, and skips packages that the cache already has.",
    )
    .argument(
      "[packages...]",
      "prefixes of packages; with --store, specs of installed packages (default: everything)",
    )
    .option("--store <dir>", "Spack's install tree (config: install_tree: root)")
    .option("--to <url>", "cache to push to (default: the first configured one that has `push: true`)");
  return addTargetOptions(command)
    .option(
      "--trust <keyfile>",
      "trust this OpenPGP public key in addition to those configured for the cache (repeatable)",
      collect,
    )
    .option("--no-closure", "push only these packages, without their dependencies")
    .option("--with-build", "also push the build dependencies that are installed")
    .option("--replace", "replace packages that the cache already has")
    .option("-n, --dry-run", "only show which packages would be pushed")
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers cache push $(spack location -i hdf5) --to s3://group-cache --sign gpg://FINGERPRINT
  $ spacktainers cache push --store ~/spack/opt/spack 'hdf5+mpi' --dry-run`,
    )
    .action(
      verbAction<PushOptions>(program, outcome, async (context, options, packages) => {
        const { pushInstalled } = await import("../../commands/cache/pushInstalled.ts");
        const { copyText } = await import("../cacheText.ts");
        const report = await pushInstalled({
          ...cacheRequest(context, options),
          ...targetRequest(options),
          to: options.to,
          store: options.store,
          packages,
          closure: options.closure,
          withBuild: options.withBuild === true,
          replace: options.replace === true,
          dryRun: options.dryRun === true,
        });
        context.reporter.close();
        const from = options.store ?? "the install tree";
        context.print(
          context.json ? resultLine("cache push", report) : copyText({ ...report, from, missing: [] }),
        );
        return 0;
      }),
    );
}
