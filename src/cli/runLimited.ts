import { addressSpaceExhausted, addressSpaceLimit, isCramped, withoutGuards } from "../util/addressSpace.ts";
import { errorLines } from "./errorText.ts";
import { standardError } from "./standardStreams.ts";

/** Says to the program that it was started by {@link runLimited}. */
const mark = "SPACKTAINERS_LIMITED";

/** Verbs that start a program in our place, which gets what a launcher gave us; they need no WebAssembly. */
const inPlace: ReadonlySet<string> = new Set(["run", "exec", "shell"]);

/**
 * Runs the program again where the address space is limited, by a Node.js that needs little of it: V8 can be told so on its command
 * line only. Costs 50 milliseconds and a process that waits.
 *
 * @param argv arguments without `node` and the script
 * @returns the exit status; undefined where there is no need, and nothing was run
 */
export async function runLimited(argv: readonly string[]): Promise<number | undefined> {
  if (process.env[mark] !== undefined) {
    delete process.env[mark];
    delete process.env.MALLOC_ARENA_MAX;
    return undefined;
  }
  const limit = addressSpaceLimit();
  if (limit === undefined || !isCramped(limit)) return undefined;
  if (inPlace.has(verbOf(argv))) return undefined;
  const { superviseProcess } = await import("../run/superviseProcess.ts");
  const status = await superviseProcess({
    argv: [
      process.execPath,
      ...process.execArgv,
      withoutGuards,
      // Of 64 KiB; all of them are reserved. What reads the archives of others needs most: 64 MiB and its tables.
      "--wasm-max-mem-pages=2048",
      "--v8-pool-size=1",
      process.argv[1] ?? "",
      ...argv,
    ],
    // Each of glibc's arenas reserves 64 MiB, and each thread wants one.
    env: { ...process.env, [mark]: "1", MALLOC_ARENA_MAX: "2" },
  });
  // What V8 says when it gives up is for its authors.
  if (aborts.has(status)) standardError.write(`${errorLines(addressSpaceExhausted(limit), false)}\n`);
  return status;
}

/** How V8 ends a process that gets no more memory: by SIGILL, SIGTRAP or SIGABRT. */
const aborts: ReadonlySet<number> = new Set([132, 133, 134]);

function verbOf(argv: readonly string[]): string {
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (word === "-C" || word === "--directory") at++;
    else if (!word.startsWith("-")) return word;
  }
  return "";
}
