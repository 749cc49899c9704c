import { CommanderError } from "commander";
import { asSpacktainersError, exitStatus, SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import { type VerbOutcome, wantsColor } from "./context.ts";
import { errorJson, errorLines } from "./errorText.ts";
import { type GlobalOptions, globalOptions } from "./options.ts";
import { makeProgram } from "./program.ts";
import { readerLeft, standardError, standardOutput } from "./standardStreams.ts";
import { hiddenVerbs, type Verb, verbs, verbsOfAll } from "./verbs.ts";

/**
 * Runs one command line.
 *
 * @param argv arguments without `node` and the script
 * @returns the exit status: 0 done, 1 failed, 2 wrong usage, 3 bad definition or configuration, 4 not available,
 *   5 refused for trust; `run` returns that of the program it ran; 130 after `Ctrl-C`
 */
export async function runCli(argv: readonly string[]): Promise<number> {
  const status = await runVerb(argv);
  await standardOutput.settled();
  const { lost } = standardOutput;
  if (lost === undefined || readerLeft(lost)) return status;
  // Not as JSON: that would go where nothing can be written.
  reportFailure(lostOutput(lost), {});
  return status === 0 ? exitStatus.failed : status;
}

async function runVerb(argv: readonly string[]): Promise<number> {
  const outcome: VerbOutcome = { status: 0 };
  const { program, commands } = makeProgram(verbsNamed(argv), outcome);
  try {
    await program.parseAsync([...argv], { from: "user" });
    return outcome.status;
  } catch (thrown) {
    // What ended because its output is lost has no other reason to give.
    if (thrown === standardOutput.lost) return outcome.status;
    if (thrown instanceof CommanderError) return reportUsage(thrown, argv);
    return reportFailure(thrown, globalOptions(program, ...commands));
  }
}

/** The verb that a command line begins with, alone: the options of all of them take a while to make. All where it begins with none. */
function verbsNamed(argv: readonly string[]): readonly Verb[] {
  const first = argv.findIndex(
    (word, at) => !word.startsWith("-") && !["-C", "--directory"].includes(argv[at - 1] ?? ""),
  );
  const name = argv[first];
  if (name === undefined || verbsOfAll.includes(name)) return Object.values(verbs);
  const verb = [verbs, hiddenVerbs].find((some) => Object.hasOwn(some, name))?.[name];
  return verb === undefined ? Object.values(verbs) : [verb];
}

/** A command line that cannot be read; or help, or the version, which are printed already. */
function reportUsage({ code, exitCode, message }: CommanderError, argv: readonly string[]): number {
  if (exitCode === 0) return 0;
  // It was not read to its end.
  const end = argv.indexOf("--");
  const json = argv.slice(0, end < 0 ? undefined : end).includes("--json");
  // The help is printed: to people it says what is missing.
  if (code === "commander.help")
    return json
      ? reportFailure(
          new SpacktainersError("USAGE", "the command is missing", { hint: "--help lists them" }),
          { json },
        )
      : exitStatus.usage;
  const [, text = message, suggestion] =
    /^(?:error: )?(.*?)\.?(?:\n\(Did you mean (.*)\?\))?$/s.exec(message) ?? [];
  const error = new SpacktainersError("USAGE", text.replace(" is invalid. ", " is invalid: "), {
    hint:
      suggestion !== undefined
        ? `did you mean ${suggestion}?`
        : code === "commander.unknownOption" && argv.includes("job")
          ? "put options of the job's program after --"
          : "run it with --help to see how to use it",
  });
  return reportFailure(error, { json });
}

function reportFailure(thrown: unknown, options: GlobalOptions): number {
  const error = thrown instanceof SpacktainersErrors ? thrown : asSpacktainersError(thrown);
  if (options.json === true) {
    standardOutput.write(`${JSON.stringify(errorJson(error))}\n`);
  } else {
    const color = wantsColor(options.color, standardError);
    const errors = error instanceof SpacktainersErrors ? error.errors : [error];
    for (const each of errors) standardError.write(`${errorLines(each, color)}\n`);
  }
  // A stack trace is for us, not for users: only on request.
  if (process.env.SPACKTAINERS_DEBUG === "1" && thrown instanceof Error) {
    standardError.write(`${thrown.stack}\n${thrown.cause instanceof Error ? `${thrown.cause.stack}\n` : ""}`);
  }
  if (error instanceof SpacktainersError && error.code === "INTERRUPTED") return 130;
  return error.exitStatus;
}

/** What was printed, and did not get where it should. */
function lostOutput(cause: NodeJS.ErrnoException): SpacktainersError {
  const isFull = cause.code === "ENOSPC" || cause.code === "EDQUOT";
  const reason = isFull ? "the disk is full" : cause.message;
  return new SpacktainersError(isFull ? "DISK_FULL" : "IO", `standard output is incomplete: ${reason}`, {
    cause,
  });
}
