import { Command } from "commander";
import type { BuildResult } from "../../commands/build/buildContainer.ts";
import type { CompileResult } from "../../commands/build/compileContainers.ts";
import { counted } from "../../util/counted.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { formatBytes, formatDuration } from "../../util/formatBytes.ts";
import { shownPath } from "../../util/shownPath.ts";
import { type VerbContext, type VerbOutcome, verbAction } from "../context.ts";
import {
  addBuildingOptions,
  addImageOptions,
  addResourcesOptions,
  type BuildingOptions,
  collect,
  type ImageOptions,
  type ResourcesOptions,
} from "../options.ts";
import { printContainers } from "../outcomes.ts";
import { buildingRequest, imageRequest } from "../requests.ts";

interface BuildOptions extends ImageOptions, ResourcesOptions, BuildingOptions {
  readonly output?: readonly string[];
  readonly force?: boolean;
  readonly shell?: string;
  readonly timings?: string;
}

/** `build`: the image. */
export function buildVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("build")
    .summary("assemble images, and build what no cache has")
    .description(
      "Resolves the packages of each container, verifies, relocates and strips them, and writes an image. If spacktainers.yaml names a Spack, that Spack builds what no cache has. NAME is a container's name, a path or a glob. Without a NAME, all containers are built.",
    )
    .argument("[names...]", "containers to build (default: all)");
  addImageOptions(command, "build")
    .option(
      "-o, --output <kind:path>",
      "write the image to oci:DIR, oci-archive:FILE, docker-archive:FILE, sif:FILE, squashfs:FILE or rootfs:DIR (repeatable; default: oci: below the configured folder)",
      collect,
    )
    .option("--force", "replace an output that spacktainers did not make")
    .option("--shell <package>", "open a shell where the build of this package failed")
    .option("--timings <file>", "write an HTML page that shows how long each stage and package took");
  return addResourcesOptions(addBuildingOptions(command))
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
        if (options.shell !== undefined) return shellIn(context, options, options.shell, names);
        const command = ["spacktainers build", ...names].join(" ");
        const { timings } = options;
        if (timings === undefined) await build(context, options, names);
        else {
          const { withTimings } = await import("../report/timings/withTimings.ts");
          await withTimings(context, timings, command, (recorded) => build(recorded, options, names));
        }
        return 0;
      }),
    );
}

async function build(context: VerbContext, options: BuildOptions, names: readonly string[]): Promise<void> {
  const request = {
    ...imageRequest(context, options, names),
    building: buildingRequest(options),
    outputs: options.output ?? [],
    force: options.force === true,
  };
  if (request.building.onlyDependencies || request.building.until !== undefined) {
    const { compileContainers } = await import("../../commands/build/compileContainers.ts");
    const compiled = await compileContainers(request);
    context.reporter.close();
    printContainers(context, compiled, { verb: "build", json: (result) => result, text: compileText });
    return;
  }
  const { buildContainers } = await import("../../commands/build/buildContainers.ts");
  const outcomes = await buildContainers(request);
  context.reporter.close();
  printContainers(context, outcomes, {
    verb: "build",
    json: (result) => result,
    text: (result) => buildText(result, context.directory),
  });
}

/** `--shell`: of one container. */
async function shellIn(
  { directory, reporter, signal }: VerbContext,
  options: BuildOptions,
  wanted: string,
  [container, ...others]: readonly string[],
): Promise<number> {
  if (container === undefined || others.length > 0)
    throw new SpacktainersError("USAGE", "--shell needs the name of one container", {
      hint: "run: spacktainers build NAME --shell PACKAGE",
    });
  const { cache, trust, arch } = options;
  const { openBuildShell } = await import("../../commands/spack/openBuildShell.ts");
  return openBuildShell({
    directory,
    caches: cache ?? [],
    trust: trust ?? [],
    emit: reporter.emit,
    signal,
    container,
    arch,
    package: wanted,
    place: buildingRequest(options),
    begin: () => reporter.close(),
  });
}

/** What was built without an image, for people. */
function compileText({ name, arch, built, milliseconds }: CompileResult): string {
  return `${name} ${arch}  ${counted(built.length, "package")} built  (${formatDuration(milliseconds)})`;
}

/** What was built, for people. */
function buildText(result: BuildResult, directory: string): string {
  const took = formatDuration(result.milliseconds);
  const count = result.packages.length;
  const how = result.upToDate
    ? "up to date"
    : count === 0
      ? took
      : `${result.reused} of ${counted(count, "package")} reused, ${took}`;
  const built = result.compiled === undefined ? "" : `${result.compiled.packages.length} built, `;
  const packages = count === 0 ? "" : `${counted(count, "package")}, `;
  const layers = counted(result.layers, "layer");
  return [
    `${result.name} ${result.version} ${result.arch}  ${packages}${formatBytes(result.size)} in ${layers}  (${built}${how})`,
    ...result.outputs.map(({ kind, path }) => `  ${kind}:${shownPath(path, directory)}`),
    `  ${result.digest}`,
  ].join("\n");
}
