import { Command, CommanderError } from "commander";
import { asSpacktainersError, exitStatus, SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import { toolVersion } from "../util/toolVersion.ts";
import { errorJson, errorLines, type VerbOutcome, wantsColor } from "./context.ts";
import { addGlobalOptions, type GlobalOptions, globalOptions } from "./options.ts";
import { verbs } from "./verbs.ts";

/**
 * Runs one command line.
 *
 * @param argv arguments without `node` and the script
 * @returns the exit status: 0 done, 1 failed, 2 wrong usage, 3 bad definition or configuration, 4 not available,
 *   5 refused for trust; `run` returns that of the program it ran; 130 after `Ctrl-C`
 */
export async function runCli(argv: readonly string[]): Promise<number> {
  const outcome: VerbOutcome = { status: 0 };
  const commands: Command[] = [];
  const program = new Command("spacktainers")
    .description("Containers built with Spack packages, from a few lines of YAML, in seconds.")
    .version(toolVersion())
    .enablePositionalOptions()
    .showHelpAfterError("(run with --help for usage)")
    .exitOverride();
  addGlobalOptions(program);
  for (const verb of verbs) {
    const command = addGlobalOptions(verb(program, outcome)).exitOverride();
    commands.push(command, ...command.commands);
    program.addCommand(command);
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
    return outcome.status;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : exitStatus.usage;
    return reportFailure(thrown, globalOptions(program, ...commands));
  }
}

function reportFailure(thrown: unknown, options: GlobalOptions): number {
  const error = thrown instanceof SpacktainersErrors ? thrown : asSpacktainersError(thrown);
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(errorJson(error))}\n`);
  } else {
    const color = wantsColor(options.color, process.stderr);
    const errors = error instanceof SpacktainersErrors ? error.errors : [error];
    for (const each of errors) process.stderr.write(`${errorLines(each, color)}\n`);
  }
  // A stack trace is for us, not for users: only on request.
  if (process.env.SPACKTAINERS_DEBUG === "1" && thrown instanceof Error) {
    process.stderr.write(
      `${thrown.stack}\n${thrown.cause instanceof Error ? `${thrown.cause.stack}\n` : ""}`,
    );
  }
  if (error instanceof SpacktainersError && error.code === "INTERRUPTED") return 130;
  return error.exitStatus;
}
