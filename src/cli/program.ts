import { Command } from "commander";
import { toolVersion } from "../util/toolVersion.ts";
import type { VerbOutcome } from "./context.ts";
import { addGlobalOptions } from "./options.ts";
import { standardError, standardOutput } from "./standardStreams.ts";
import type { Verb } from "./verbs.ts";

/** The parser of command lines. */
export interface Program {
  readonly program: Command;
  /** The verbs' commands, and those below them. */
  readonly commands: readonly Command[];
}

/**
 * Makes the parser.
 *
 * @param verbs those that it knows
 * @param outcome gets the exit status of the one that runs
 */
export function makeProgram(verbs: readonly Verb[], outcome: VerbOutcome): Program {
  const commands: Command[] = [];
  const program = new Command("spacktainers")
    .description("Containers built with Spack packages, from a few lines of YAML, in seconds.")
    .version(toolVersion())
    .enablePositionalOptions();
  addGlobalOptions(program);
  for (const verb of verbs) {
    const command = addGlobalOptions(verb(program, outcome));
    commands.push(command, ...command.commands);
    program.addCommand(command);
  }
  for (const command of [program, ...commands])
    command.exitOverride().configureOutput({
      writeOut: (text) => standardOutput.write(text),
      writeErr: (text) => standardError.write(text),
      // It is thrown, too.
      outputError: () => {},
    });
  return { program, commands };
}
