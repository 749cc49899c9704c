import { Command } from "commander";
import type { BuildResult } from "../../commands/build/buildContainer.ts";
import { formatBytes, formatDuration } from "../../util/formatBytes.ts";
import { shownPath } from "../../util/shownPath.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import {
  addImageOptions,
  addWorkshopOptions,
  collect,
  type ImageOptions,
  type WorkshopOptions,
} from "../options.ts";
import { printContainers } from "../outcomes.ts";
import { imageRequest } from "../requests.ts";

interface BuildOptions extends ImageOptions, WorkshopOptions {
  readonly output?: readonly string[];
  readonly force?: boolean;
}

/** `build`: the image. */
export function buildVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("build")
    .summary("assemble images")
    .description(
      "Resolves the packages of each container, verifies, relocates and strips them, and writes an image. NAME is a container's name, a path, or a glob; none means all.",
    )
    .argument("[names...]", "containers to build");
  addImageOptions(command, "build")
    .option(
      "-o, --output <kind:path>",
      "oci:DIR, oci-archive:FILE, docker-archive:FILE, sif:FILE, squashfs:FILE or rootfs:DIR (repeatable; default: oci: below the configured folder)",
      collect,
    )
    .option("--force", "replace an output that is not an earlier one of ours");
  return addWorkshopOptions(command)
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
        const { buildContainers } = await import("../../commands/build/buildContainers.ts");
        const outcomes = await buildContainers({
          ...imageRequest(context, options, names),
          outputs: options.output ?? [],
          force: options.force === true,
        });
        context.reporter.close();
        printContainers(context, outcomes, {
          json: (result) => result,
          text: (result) => buildText(result, context.directory),
        });
        return 0;
      }),
    );
}

/** What was built, for people. */
function buildText(result: BuildResult, directory: string): string {
  const took = formatDuration(result.milliseconds);
  const count = result.packages.length;
  const how = result.upToDate
    ? "up to date"
    : count === 0
      ? took
      : `${result.reused} of ${count} packages reused, ${took}`;
  const packages = count === 0 ? "" : `${count} packages, `;
  const layers = `${result.layers} layer${result.layers === 1 ? "" : "s"}`;
  return [
    `${result.name} ${result.version} ${result.arch}  ${packages}${formatBytes(result.size)} in ${layers}  (${how})`,
    ...result.outputs.map(({ kind, path }) => `  ${kind}:${shownPath(path, directory)}`),
    `  ${result.digest}`,
  ].join("\n");
}
