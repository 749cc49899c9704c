import { Command } from "commander";
import { formatBytes, formatDuration } from "../../util/formatBytes.ts";
import { shownPath } from "../../util/shownPath.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import {
  addCacheOptions,
  addSelectionOptions,
  type CacheOptions,
  collect,
  positiveInteger,
} from "../options.ts";

interface BuildOptions extends CacheOptions {
  readonly arch?: string;
  readonly output?: readonly string[];
  readonly strip: boolean;
  readonly keepMetadata?: boolean;
  readonly allowUnresolved?: readonly string[];
  readonly force?: boolean;
  readonly frozen?: boolean;
  readonly jobs?: number;
}

/** `build`: the image. */
export function buildVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("build")
    .summary("assemble images")
    .description(
      "Resolves the packages of each container, verifies, relocates and strips them, and writes an image. NAME is a container's name, a path, or a glob; none means all.",
    )
    .argument("[names...]", "containers to build");
  addSelectionOptions(command)
    .option(
      "-o, --output <kind:path>",
      "oci:DIR, oci-archive:FILE, docker-archive:FILE, sif:FILE, squashfs:FILE or rootfs:DIR (repeatable; default: oci: below the configured folder)",
      collect,
    )
    .option("--no-strip", "keep debug sections and symbol tables")
    .option("--keep-metadata", "keep the packages' .spack folders")
    .option(
      "--allow-unresolved <name>",
      "library or interpreter that may be missing in the image (repeatable)",
      collect,
    )
    .option("--frozen", "refuse to build anything else than what the locks beside the definition say")
    .option("--force", "replace an output that is not an earlier one of ours")
    .option("-j, --jobs <n>", "packages at a time (default: one a core)", positiveInteger);
  return addCacheOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers build hello-mpi
  $ spacktainers build 'neuro*' --arch amd64
  $ spacktainers build hello-mpi --output oci-archive:hello.tar --cache s3://my-cache --trust cache.pub`,
    )
    .action(
      verbAction<BuildOptions>(program, outcome, async (context, options, names) => {
        const { buildContainers } = await import("../../pipeline/buildContainers.ts");
        const results = await buildContainers({
          directory: context.directory,
          names,
          arch: options.arch,
          outputs: options.output ?? [],
          strip: options.strip ? undefined : false,
          keepMetadata: options.keepMetadata === true,
          allowUnresolved: options.allowUnresolved ?? [],
          force: options.force === true,
          frozen: options.frozen === true,
          caches: options.cache ?? [],
          trust: options.trust ?? [],
          refresh: options.refresh === true,
          jobs: options.jobs,
          emit: context.reporter.emit,
          signal: context.signal,
        });
        context.reporter.close();
        for (const result of results) {
          if (context.json) {
            context.print(JSON.stringify({ type: "result", ...result }));
            continue;
          }
          const took = formatDuration(result.milliseconds);
          const count = result.packages.length;
          const how = result.upToDate
            ? "up to date"
            : count === 0
              ? took
              : `${result.reused} of ${count} packages reused, ${took}`;
          const packages = count === 0 ? "" : `${count} packages, `;
          const layers = `${result.layers} layer${result.layers === 1 ? "" : "s"}`;
          context.print(
            `${result.name} ${result.version} ${result.arch}  ${packages}${formatBytes(result.size)} in ${layers}  (${how})`,
          );
          for (const { kind, path } of result.outputs)
            context.print(`  ${kind}:${shownPath(path, context.directory)}`);
          context.print(`  ${result.digest}`);
        }
        return 0;
      }),
    );
}
