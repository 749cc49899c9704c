import { Command } from "commander";
import { shownPath } from "../../util/shownPath.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addSelectionOptions } from "../options.ts";
import { resultLine } from "../resultLine.ts";

interface DockerfileOptions {
  readonly arch?: string;
  readonly output?: string;
  readonly force?: boolean;
}

/** `dockerfile`: for those who stay with Docker. */
export function dockerfileVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("dockerfile")
    .summary("write a Dockerfile that builds a container with Docker and a real Spack")
    .description(
      "Writes a two-stage Dockerfile for a container. In it, Spack installs the environment from the configured caches and builds the missing packages. The image gets the packages, the view and the Dockerfile.epilogue.",
    )
    .argument("<name>", "the container");
  return addSelectionOptions(command)
    .option("-o, --output <file>", "write to a file (default: standard output)")
    .option("--force", "replace a file that spacktainers did not write")
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers dockerfile hello-mpi > Dockerfile
  $ spacktainers dockerfile simulation --output Dockerfile && docker build --tag simulation .`,
    )
    .action(
      verbAction<DockerfileOptions>(program, outcome, async (context, options, [name = ""]) => {
        const { writeDockerfile } = await import("../../commands/dockerfile/writeDockerfile.ts");
        const written = await writeDockerfile({
          directory: context.directory,
          name,
          arch: options.arch,
          output: options.output,
          force: options.force === true,
        });
        if (context.json) context.print(resultLine("dockerfile", written));
        else if (written.path === undefined) context.print(written.text.trimEnd());
        else context.print(shownPath(written.path, context.directory));
        return 0;
      }),
    );
}
