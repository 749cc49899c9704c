import { Command } from "commander";
import { imageForms } from "../../pipeline/images/imageForms.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addContainerOptions, type ContainerOptions, runInContainer } from "./run.ts";

/** `shell`: an interactive shell in a built image. */
export function shellVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("shell")
    .summary("an interactive shell in an image")
    .description("Starts a login shell in an image, as `run` would run it.")
    .argument("<image>", imageForms);
  return addContainerOptions(command)
    .addHelpText("after", "\nExamples:\n  $ spacktainers shell hello-mpi")
    .action(
      verbAction<ContainerOptions>(program, outcome, async (context, options, [image = ""]) =>
        runInContainer(
          context,
          image,
          ["/bin/bash"],
          options,
          process.stdin.isTTY === true ? true : undefined,
        ),
      ),
    );
}
