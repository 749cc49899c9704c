import { relative } from "node:path";
import { Command, Option } from "commander";
import { registryCredentials } from "../../commands/pull/registryCredentials.ts";
import { type PullRuntime, pullRuntimes } from "../../hpc/pull.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addSelectionOptions } from "../options.ts";
import { resultLine } from "../resultLine.ts";

interface PullOptions {
  readonly arch?: string;
  readonly with?: PullRuntime | "auto";
  readonly tag?: string;
  readonly output?: string;
  readonly force?: boolean;
  readonly plainHttp?: boolean;
  readonly print?: boolean;
}

/** `pull`: a published image to this machine's runtime. */
export function pullVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("pull")
    .summary("fetch a published image for this machine's runtime")
    .description(
      "Lets a runtime of this machine (Sarus, Apptainer, Singularity, podman-hpc, Podman, Docker, enroot, Shifter or Charliecloud) pull an image from the configured registry, or from any other. Apptainer and Singularity write a SIF file, enroot a squashfs file. Never passes a password on a command line.",
    )
    .argument("<image>", "a container's name, or [docker://|oras://]HOST/PATH[:TAG][@DIGEST]");
  return addSelectionOptions(command)
    .addOption(
      new Option("--with <runtime>", "runtime to pull with")
        .choices(["auto", ...pullRuntimes])
        .default("auto"),
    )
    .option("--tag <tag>", "tag of a container's image (default: the version built here, else latest)")
    .option(
      "-o, --output <file>",
      "Apptainer, Singularity, enroot: file to write (default: NAME.sif, NAME.sqsh)",
    )
    .option("-f, --force", "overwrite the file")
    .option(
      "--plain-http",
      "use HTTP without TLS (default: if the registry's URL begins with http: or is on this machine)",
    )
    .option("--print", "print the command line instead of running it")
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers pull hello-mpi
  $ spacktainers pull hello-mpi --with apptainer -o images/hello.sif
  $ spacktainers pull ghcr.io/my-org/spack-hello-mpi:1.0.0 --with podman --print`,
    )
    .action(
      verbAction<PullOptions>(program, outcome, async (context, options, [image = ""]) => {
        const { pullContainer } = await import("../../commands/pull/pullContainer.ts");
        const pulled = await pullContainer({
          directory: context.directory,
          image,
          arch: options.arch,
          tag: options.tag,
          runtime: options.with ?? "auto",
          file: options.output,
          force: options.force === true,
          plainHttp: options.plainHttp === true,
          registryCredentials,
          print: options.print === true ? context.print : undefined,
          emit: context.reporter.emit,
          signal: context.signal,
        });
        context.reporter.close();
        if (context.json) context.print(resultLine("pull", pulled));
        else if (options.print !== true)
          context.print(
            pulled.file === undefined
              ? `${pulled.reference} is in ${pulled.runtime}'s store`
              : relative(context.directory, pulled.file) || pulled.file,
          );
        return 0;
      }),
    );
}
