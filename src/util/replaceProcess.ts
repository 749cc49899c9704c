/** Another program in place of this process: what a shell calls `exec`. Node has no such thing that keeps open files. */
import { accessSync, constants, writeSync } from "node:fs";

/** The program that replaces this process. */
export interface Replacement {
  /** Path of the program, and its arguments. */
  readonly argv: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string | undefined;
  /** Our open files that it gets, beside standard input, output and error, and their numbers there. */
  readonly descriptors: readonly { readonly own: number; readonly number: number }[];
}

/** Takes the place of this process; does not return but for failures, and then this process is of no use any more. */
export type ReplaceProcess = (replacement: Replacement) => never;

/** Ways to the system that Node does not have. */
export interface ProcessReplacer {
  readonly replace: ReplaceProcess;
  /** A file without a name, in memory, with this text in it; returns its number. It is gone when nobody has it open. */
  readonly memoryFile: (text: string) => number;
}

/** Numbers of Linux (fcntl(2), signal(7)), the same on all its processors that we know. */
const system = {
  duplicateCloseOnExec: 1030,
  setInheritance: 2,
  getFlags: 3,
  setFlags: 4,
  nonBlocking: 0o4000,
  closeOnExec: 1,
  brokenPipe: 13,
  fileTooLarge: 25,
} as const;

/**
 * An optional dependency: what koffi is on this processor, without koffi's own package, which would run a script when it is
 * installed.
 */
const foreignFunctions = `@koromix/koffi-linux-${process.arch}`;

/** Files are moved above this number before they get the number that they are to have. */
const spareNumbers = 100;

/**
 * What is needed to be replaced; undefined where that cannot be done, since it takes a library (koffi) that is not installed
 * everywhere.
 */
export async function processReplacer(): Promise<ProcessReplacer | undefined> {
  if (process.platform !== "linux") return undefined;
  const koffi = await import(foreignFunctions).then(
    (found: { default: typeof import("koffi") }) => found.default,
    () => undefined,
  );
  if (koffi === undefined) return undefined;
  try {
    const libc = koffi.load(null);
    const execve = libc.func("int execve(const char *path, const char **argv, const char **env)");
    const control = libc.func("int fcntl(int descriptor, int command, int argument)");
    const duplicate = libc.func("int dup2(int from, int to)");
    const signal = libc.func("void *signal(int number, intptr_t handler)");
    const memory = libc.func("int memfd_create(const char *name, uint32_t flags)");
    const errno = (): string => {
      const number = koffi.errno();
      return Object.entries(koffi.os.errno).find(([, value]) => value === number)?.[0] ?? String(number);
    };
    return {
      memoryFile(text) {
        const descriptor = memory("spacktainers", system.closeOnExec) as number;
        if (descriptor < 0) throw new Error(`no file can be made in memory: ${errno()}`);
        // At a position of its own: who reads it begins at the beginning.
        const bytes = Buffer.from(text);
        for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at, bytes.length - at, at);
        return descriptor;
      },
      replace({ argv, env, cwd, descriptors }) {
        accessSync(argv[0], constants.X_OK);
        if (cwd !== undefined) process.chdir(cwd);
        // Node makes what it writes to non-blocking, for whoever shares it, and ignores these two signals.
        for (const number of [0, 1, 2]) {
          const flags = control(number, system.getFlags, 0) as number;
          if (flags >= 0 && (flags & system.nonBlocking) !== 0)
            control(number, system.setFlags, flags & ~system.nonBlocking);
          control(number, system.setInheritance, 0);
        }
        for (const number of [system.brokenPipe, system.fileTooLarge]) signal(number, 0);
        const moved = descriptors.map(({ own, number }) => ({
          spare: control(own, system.duplicateCloseOnExec, spareNumbers) as number,
          number,
        }));
        for (const { spare, number } of moved) duplicate(spare, number);
        const variables = Object.entries(env).flatMap(([name, value]) =>
          value === undefined ? [] : [`${name}=${value}`],
        );
        execve(argv[0], [...argv, null], [...variables, null]);
        // Files that Node itself works with may be others by now.
        writeSync(2, `error  PROCESS_FAILED  ${argv[0]} cannot be started: ${errno()}\n`);
        process.exit(126);
      },
    };
  } catch {
    return undefined;
  }
}
