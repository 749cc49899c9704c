/** Tutorials, done as they stand: their commands in a clean folder, by an ordinary user who has the program on the path. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binary, type Workplace } from "./cli.ts";

/** Longest that a tutorial may take, in milliseconds. */
export const tutorialPatience = 300_000;

/** The shell blocks of a page, or of a part of one. */
export function shellBlocks(text: string): readonly string[] {
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
}

/** How a tutorial went. */
export interface TutorialResult {
  /** The user's folder. */
  readonly home: string;
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs commands up to the first that fails.
 *
 * @param env variables besides those that every user has
 */
export function runTutorial(
  work: Workplace,
  script: string,
  env: Readonly<Record<string, string>> = {},
): TutorialResult {
  const home = work.path(`home-${process.hrtime.bigint()}`);
  mkdirSync(join(home, "bin"), { recursive: true });
  chmodSync(work.directory, 0o755);
  chmodSync(home, 0o777);
  const program = join(home, "bin/spacktainers");
  writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${binary}" "$@"\n`);
  chmodSync(program, 0o755);
  const { status, stdout, stderr } = spawnSync("bash", ["-ec", script], {
    cwd: home,
    encoding: "utf8",
    timeout: tutorialPatience - 5_000,
    ...(process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}),
    env: {
      PATH: `${home}/bin:${process.env.PATH}`,
      HOME: home,
      XDG_CACHE_HOME: join(home, "cache"),
      NO_COLOR: "1",
      ...env,
    },
  });
  return { home, status, stdout, stderr };
}
