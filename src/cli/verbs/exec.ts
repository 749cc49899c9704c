import { Command } from "commander";
import { imageForms } from "../../pipeline/images/imageForms.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { takesTrailingCommand } from "../trailingCommand.ts";
import { addContainerOptions, type ContainerOptions, runInContainer } from "./run.ts";

/** `exec`: a program in a built image, without the image's entrypoint. */
export function execVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("exec")
    .summary("run a program in an image without its entrypoint")
    .description(
      "Like `run`, but starts the program directly, without the image's entrypoint (a login shell in images of spacktainers). The image's environment already has the variables that the shell's profile sets.",
    )
    .argument("<image>", imageForms)
    .argument("<command...>", "program and arguments");
  return takesTrailingCommand(addContainerOptions(command))
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers exec hello-mpi -- ring --version
  $ spacktainers exec hello-mpi.sif -- ring
  $ srun --mpi=pmi2 -n 4 spacktainers exec hello-mpi -- ring`,
    )
    .action(
      verbAction<ContainerOptions>(program, outcome, async (context, options, [image = "", ...words]) =>
        runInContainer(context, image, { command: words, options, tty: undefined, entrypoint: "none" }),
      ),
    );
}
