import { Command } from "commander";
import { imageForms } from "../../pipeline/images/imageForms.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addContainerOptions, type ContainerOptions, runInContainer } from "./run.ts";

/** `shell`: an interactive shell in a built image. */
export function shellVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("shell")
    .summary("open an interactive shell in an image")
    .description(
      "Starts a shell in an image, with the variables that `run` would set: Bash if the image has it, else sh.",
    )
    .argument("<image>", imageForms);
  return addContainerOptions(command)
    .addHelpText("after", "\nExamples:\n  $ spacktainers shell hello-mpi")
    .action(
      verbAction<ContainerOptions>(program, outcome, async (context, options, [image = ""]) =>
        runInContainer(context, image, {
          command: [],
          options,
          tty: process.stdin.isTTY === true ? true : undefined,
          entrypoint: "shell",
        }),
      ),
    );
}
