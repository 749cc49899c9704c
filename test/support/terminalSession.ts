/** A program on a terminal of its own, and somebody who types there. */
import { type ChildProcess, spawn } from "node:child_process";
import { shellLine } from "../../src/util/shellQuote.ts";
import { runs } from "./staticServer.ts";

/** Why no terminal can be had here, or undefined: `script` of util-linux makes them. */
export function terminalTrouble(): string | undefined {
  return runs("script", ["--version"]) ? undefined : "script is not installed";
}

/** A program that was started. */
export interface TerminalSession {
  /** Everything shown so far. */
  shown(): string;
  /**
   * Waits until a text is shown, after all that was waited for before.
   * @throws when the program ends without
   */
  until(text: string): Promise<void>;
  /** Types; a line ends with `\r`, as the key sends it. */
  type(keys: string): void;
  /** Waits for its end. @returns its exit status */
  ended(): Promise<number | null>;
  /** Ends it, where it is still there. */
  stop(): void;
}

/** Starts a program on a new terminal. */
export function startOnTerminal(
  command: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): TerminalSession {
  // The shell gives way to the program, so that keys and signals are its own.
  const child: ChildProcess = spawn(
    "/usr/bin/env",
    ["script", "-qec", `exec ${shellLine(command)}`, "/dev/null"],
    {
      cwd,
      env: { ...env, SHELL: "/bin/sh", TERM: "xterm" },
      stdio: ["pipe", "pipe", "pipe"],
    },
  );
  let shown = "";
  let seen = 0;
  let status: number | null | undefined;
  let wake: () => void = () => {};
  const collect = (text: string): void => {
    shown += text;
    wake();
  };
  child.stdout?.setEncoding("utf8").on("data", collect);
  child.stderr?.setEncoding("utf8").on("data", collect);
  child.once("close", (code) => {
    status = code;
    wake();
  });
  const changed = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  return {
    shown: () => shown,
    async until(text) {
      for (;;) {
        const at = shown.indexOf(text, seen);
        if (at >= 0) {
          seen = at + text.length;
          return;
        }
        if (status !== undefined) throw new Error(`it ended without "${text}":\n${shown}`);
        await changed();
      }
    },
    type: (keys) => void child.stdin?.write(keys),
    async ended() {
      while (status === undefined) await changed();
      return status;
    },
    stop: () => void child.kill("SIGKILL"),
  };
}
