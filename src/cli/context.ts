import { resolve } from "node:path";
import { isatty } from "node:tty";
import type { Command } from "commander";
import { SpacktainersError } from "../util/errors.ts";
import { escapeControls } from "../util/escapeControls.ts";
import type { BarCanvas } from "./byteBars.ts";
import { errorJson, errorLines } from "./errorText.ts";
import { type GlobalOptions, globalOptions } from "./options.ts";
import { openReporter } from "./report/openReporter.ts";
import type { Reporter } from "./report/types.ts";
import { type StandardStream, standardError, standardOutput } from "./standardStreams.ts";

/** What a verb works with: where it is, how it reports, and when it must stop. */
export interface VerbContext {
  readonly directory: string;
  readonly json: boolean;
  readonly color: boolean;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  /** For results that are no lines of text. */
  readonly output: StandardStream;
  /** Prints a result (not progress) to standard output. */
  print(text: string): void;
  /** What standard output has room for, and whether a drawing on it may have colours. */
  readonly canvas: BarCanvas;
  /** Prints a drawing to standard output as it is: its names are escaped already. */
  draw(text: string): void;
}

/** True when colour is wanted: `--color`, else a terminal without `NO_COLOR` (no-color.org) or with `FORCE_COLOR`. */
export function wantsColor(
  option: boolean | undefined,
  stream: Pick<StandardStream, "isTTY">,
  env = process.env,
): boolean {
  if (option !== undefined) return option;
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "") return true;
  return stream.isTTY && env.TERM !== "dumb";
}

/** Makes the context of one run of a verb. */
export function openContext(options: GlobalOptions, signal: AbortSignal): VerbContext {
  const color = wantsColor(options.color, standardError);
  return {
    directory: resolve(options.directory ?? "."),
    json: options.json === true,
    color,
    signal,
    reporter: openReporter({
      json: options.json === true,
      quiet: options.quiet === true,
      color,
      stderr: standardError,
      stdout: standardOutput,
    }),
    output: standardOutput,
    // Names of packages and files come from strangers.
    print: (text) => standardOutput.write(`${escapeControls(text)}\n`),
    canvas: {
      get columns() {
        return standardOutput.columns;
      },
      get color() {
        return wantsColor(options.color, standardOutput);
      },
    },
    draw: (text) => standardOutput.write(`${text}\n`),
  };
}

/** What a verb leaves behind for {@link runCli}: the exit status. */
export interface VerbOutcome {
  status: number;
}

/** A verb's work. Returns its exit status; nothing means 0. */
export type VerbWork<Options> = (
  context: VerbContext,
  options: Options,
  args: readonly string[],
) => Promise<number | undefined>;

/** The program, and the commands down to one: options that all have may stand behind any of them. */
function lineage(program: Command, command: Command): readonly Command[] {
  const commands = [command];
  for (let above = command.parent; above !== null && above !== program; above = above.parent)
    commands.unshift(above);
  return [program, ...commands];
}

/** How long work may take to clean up after a signal, in milliseconds. */
const cleanUpTime = 5000;

/**
 * Wraps a verb's work as a Commander action: opens the reporter, turns the first `Ctrl-C` (SIGTERM, or SIGHUP of a terminal that is
 * gone) into an abort that lets work clean up, the second into an immediate end, and records the exit status. Work that has not
 * ended in time after the first is ended as by the second.
 */
export function verbAction<Options>(
  program: Command,
  outcome: VerbOutcome,
  work: VerbWork<Options>,
): (this: Command) => Promise<void> {
  return async function (this: Command): Promise<void> {
    const abort = new AbortController();
    // Without a terminal there is nobody to miss: `nohup` wants to be left alone, and Node forgets that it said so.
    const isOnTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
    const release = (): void => {
      process.off("SIGINT", interrupt).off("SIGTERM", interrupt).off("SIGHUP", interrupt);
    };
    const interruption = new SpacktainersError("INTERRUPTED", "interrupted", {
      hint: "finished work is kept; run the same command again to continue",
    });
    const end = (): void => {
      release();
      // Not by `process.exit`, which waits for what the system does not answer. To shells this is status 130.
      process.kill(process.pid, "SIGINT");
    };
    const interrupt = (name: NodeJS.Signals): void => {
      if (name === "SIGHUP" && !isOnTerminal) return;
      // Who runs a program in our place passes signals on to it, and ends with it.
      const isPassedOn = process.listenerCount(name) > 1;
      if (!isPassedOn && abort.signal.aborted) end();
      abort.abort(interruption);
      if (isPassedOn) return;
      const late = (): void => {
        context.reporter.close();
        if (context.json) context.output.write(`${JSON.stringify(errorJson(interruption))}\n`);
        else standardError.write(`${errorLines(interruption, context.color)}\n`);
        end();
      };
      setTimeout(late, cleanUpTime).unref();
    };
    process.on("SIGINT", interrupt).on("SIGTERM", interrupt).on("SIGHUP", interrupt);
    const context = openContext(globalOptions(...lineage(program, this)), abort.signal);
    try {
      outcome.status = (await work(context, this.opts<Options & object>(), this.args)) ?? 0;
    } catch (error) {
      // Whatever an abort made fail first, the reason the user knows is the interruption.
      throw abort.signal.aborted ? abort.signal.reason : error;
    } finally {
      context.reporter.close();
      release();
    }
  };
}
