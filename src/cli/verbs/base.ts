import { Command, Option } from "commander";
import type { BuildTool } from "../../commands/base/baseImage.ts";
import { type VerbContext, type VerbOutcome, verbAction } from "../context.ts";
import { addGlobalOptions, collectAssignment } from "../options.ts";
import { resultLine } from "../resultLine.ts";
import { table } from "../table.ts";

interface BaseOptions {
  readonly with?: BuildTool;
  readonly buildArg?: readonly (readonly [string, string])[];
}

/** `base`: the builder and runtime images. */
export function baseVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("base")
    .summary("make and publish the builder and runtime images")
    .description(
      "The builder image has compilers and Spack; the runtime image has the system that the packages run on. With a Dockerfile that starts from both, plain `podman build` builds an environment.",
    );
  for (const make of [buildVerb, pushVerb, listVerb])
    command.addCommand(addGlobalOptions(make(program, outcome)).exitOverride());
  return command;
}

/** `--with` and the images. */
function withTool(command: Command): Command {
  return command.addOption(
    new Option(
      "--with <program>",
      "program to build and push images with (default: the first one that is installed)",
    ).choices(["podman", "buildah", "docker"]),
  );
}

const imagesHelp = "builder, runtime (default: both)";

function buildVerb(program: Command, outcome: VerbOutcome): Command {
  return withTool(new Command("build"))
    .summary("make local_builder and local_runtime")
    .description(
      "Makes the images from the repository's folders builder and runtime. Takes the base, Spack, the recipes and the target from the configuration.",
    )
    .argument("[images...]", imagesHelp)
    .option("--build-arg <name=value>", "build argument for the Dockerfile (repeatable)", collectAssignment)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers base build
  $ spacktainers base build builder --with buildah --build-arg SPACK_BRANCH=develop`,
    )
    .action(
      verbAction<BaseOptions>(program, outcome, async (context, options, images) => {
        const { buildBases } = await import("../../commands/base/buildBases.ts");
        const built = await buildBases({
          ...(await commonOf(context, options, images)),
          buildArguments: new Map(options.buildArg ?? []),
          onOutput: context.json ? () => {} : (chunk) => process.stderr.write(chunk),
        });
        for (const one of built)
          context.print(context.json ? resultLine("base build", one) : `${one.tag}  by ${one.tool}`);
        return 0;
      }),
    );
}

function pushVerb(program: Command, outcome: VerbOutcome): Command {
  return withTool(new Command("push"))
    .summary("publish the builder and runtime images to the configured registries")
    .description(
      "Publishes this machine's images as `builder` and `runtime`, with names from each registry's pattern. The program that made the images sends them, with its own credentials (podman login).",
    )
    .argument("[images...]", imagesHelp)
    .addHelpText("after", "\nExamples:\n  $ spacktainers base push")
    .action(
      verbAction<BaseOptions>(program, outcome, async (context, options, images) => {
        const { pushBases } = await import("../../commands/base/pushBases.ts");
        for (const one of await pushBases(await commonOf(context, options, images)))
          context.print(context.json ? resultLine("base push", one) : one.reference);
        return 0;
      }),
    );
}

function listVerb(program: Command, outcome: VerbOutcome): Command {
  return withTool(new Command("list"))
    .summary("list the builder and runtime images of this machine")
    .addHelpText("after", "\nExamples:\n  $ spacktainers base list")
    .action(
      verbAction<BaseOptions>(program, outcome, async (context, options) => {
        const { listBases } = await import("../../commands/base/listBases.ts");
        const { tool, images } = await listBases(options.with);
        const rows = images.map(({ tag, id, created }) => [
          tag,
          id?.slice(0, 19) ?? "not made yet",
          created ?? "",
        ]);
        if (!context.json) context.print(table(["IMAGE", "ID", "MADE"], rows));
        else for (const one of images) context.print(resultLine("base list", { tool, ...one }));
        return 0;
      }),
    );
}

async function commonOf(context: VerbContext, options: BaseOptions, names: readonly string[]) {
  const { namedBaseImages } = await import("../../commands/base/baseImage.ts");
  return {
    directory: context.directory,
    images: namedBaseImages(names),
    arch: process.arch === "arm64" ? ("arm64" as const) : ("amd64" as const),
    tool: options.with,
    emit: context.reporter.emit,
    signal: context.signal,
  };
}
