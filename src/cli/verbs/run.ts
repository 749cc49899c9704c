import { Command, Option } from "commander";
import { imageForms } from "../../pipeline/images/imageForms.ts";
import {
  type GpuKind,
  gpuKinds,
  type MpiMode,
  mpiModes,
  type RuntimeName,
  runtimeNames,
} from "../../run/types.ts";
import { type VerbContext, type VerbOutcome, verbAction } from "../context.ts";
import { addSelectionOptions, collect } from "../options.ts";
import { takesTrailingCommand } from "../trailingCommand.ts";

/** Options that `run`, `exec` and `shell` share. */
export interface ContainerOptions {
  readonly arch?: string;
  readonly bind?: readonly string[];
  readonly workdir?: string;
  readonly env?: readonly string[];
  readonly with?: RuntimeName | "auto";
  readonly network?: "host" | "none";
  readonly readOnly?: boolean;
  readonly fakeroot?: boolean;
  readonly gpu?: GpuKind | true;
  readonly mpi?: MpiMode;
  readonly tty?: boolean;
  readonly print?: boolean;
}

/** `run`: a program in a built image. */
export function runVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("run")
    .summary("run a program in an image")
    .description(
      "Runs a command in an image, with Podman, Docker, Apptainer or Sarus if one is installed, or else in an unprivileged user namespace. Passes signals to the command, and returns its exit status. For a container, uses the built image; without one, the file that `pull` fetched (NAME.sif here); without that, the published image.",
    )
    .argument("<image>", imageForms)
    .argument("[command...]", "program and arguments (default: the image's own command)");
  return takesTrailingCommand(addContainerOptions(command))
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers run hello-mpi -- mpiexec -n 2 ring
  $ spacktainers run --bind "$PWD/data:/data:ro" --workdir /data hello-mpi -- ring 100
  $ spacktainers run hello-mpi --with podman --print -- ring
  $ spacktainers run docker://ghcr.io/my-org/spack-hello-mpi:1.0.0 -- ring
  $ srun --mpi=pmi2 -n 4 spacktainers run hello-mpi -- ring`,
    )
    .action(
      verbAction<ContainerOptions>(program, outcome, async (context, options, [image = "", ...words]) =>
        runInContainer(context, image, { command: words, options, tty: undefined }),
      ),
    );
}

/** Adds the options of {@link ContainerOptions}. */
export function addContainerOptions(command: Command): Command {
  return addSelectionOptions(command)
    .option(
      "-b, --bind <source[:target[:ro]]>",
      "mount a directory or file of this machine in the container (repeatable)",
      collect,
    )
    .option("-w, --workdir <dir>", "directory to start in")
    .option(
      "-e, --env <name[=value]>",
      "set a variable; without a value, use its value here (repeatable)",
      collect,
    )
    .addOption(
      new Option("--with <runtime>", "runtime that runs the container")
        .choices(["auto", ...runtimeNames])
        .default("auto"),
    )
    .addOption(
      new Option("--network <mode>", "use the machine's network, or none")
        .choices(["host", "none"])
        .default("host"),
    )
    .addOption(
      new Option("--gpu [kind]", "give the container the machine's graphics processors")
        .choices(gpuKinds)
        .preset("nvidia"),
    )
    .addOption(
      new Option(
        "--mpi <mode>",
        "auto: connect to an MPI launcher if there is one; launcher: require one; none; host: use the machine's MPI (Sarus)",
      )
        .choices(mpiModes)
        .default("auto"),
    )
    .option("--read-only", "refuse to write to the container's own files")
    .option(
      "--fakeroot",
      "be root in the container (default: your own user), without root's rights on this machine",
    )
    .option("--tty", "give the program a terminal (default: if there is one)")
    .option("--print", "print the command line instead of running it");
}

/** What is run. */
export interface CommandInContainer {
  readonly command: readonly string[];
  readonly options: ContainerOptions;
  readonly tty: boolean | undefined;
  readonly entrypoint?: "image" | "none" | "shell" | undefined;
}

/** Runs a command line in an image; `tty` as given when it is not left to the options. */
export async function runInContainer(
  context: VerbContext,
  image: string,
  { command, options, tty, entrypoint = "image" }: CommandInContainer,
): Promise<number> {
  const { runContainer } = await import("../../commands/run/runContainer.ts");
  const terminal = options.tty ?? tty;
  return runContainer({
    directory: context.directory,
    image,
    arch: options.arch,
    command,
    binds: options.bind ?? [],
    env: options.env ?? [],
    workdir: options.workdir,
    entrypoint,
    mpi: options.mpi ?? "auto",
    gpu: options.gpu === true ? "nvidia" : options.gpu,
    runtime: options.with ?? "auto",
    network: options.network ?? "host",
    readOnly: options.readOnly === true,
    fakeroot: options.fakeroot === true,
    tty: terminal,
    print: options.print === true ? context.print : undefined,
    leave: () => context.reporter.close(),
    emit: context.reporter.emit,
    signal: context.signal,
  });
}
