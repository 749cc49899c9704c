/** Git repositories on this machine's loopback, by git's own protocol. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./staticServer.ts";

export interface GitServer {
  /** `git://127.0.0.1:PORT`, no slash at the end; repositories are `NAME.git` below. */
  readonly url: string;
  close(): Promise<void>;
}

/** Tags of releases that the repositories get, as those of Spack have them. */
const tags = ["v1.1.0", "v2025.11.0"];

/**
 * Serves copies of repositories: what they are at is there the branch `main`, and what Spack's releases are called.
 *
 * @param repositories folders by name
 */
export async function startGitServer(repositories: Readonly<Record<string, string>>): Promise<GitServer> {
  const folder = await mkdtemp(join(tmpdir(), "spacktainers-git-"));
  const git = (...args: readonly string[]): string =>
    execFileSync("git", ["-c", "safe.directory=*", ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  for (const [name, from] of Object.entries(repositories)) {
    const bare = join(folder, `${name}.git`);
    git("init", "--quiet", "--bare", "--initial-branch=main", bare);
    git("-C", bare, "fetch", "--quiet", "--depth=1", `file://${from}`, "HEAD");
    git("-C", bare, "update-ref", "refs/heads/main", "FETCH_HEAD");
    for (const tag of tags) git("-C", bare, "update-ref", `refs/tags/${tag}`, "FETCH_HEAD");
  }
  const port = await freePort();
  const args = [
    "daemon",
    "--export-all",
    "--reuseaddr",
    "--listen=127.0.0.1",
    `--port=${port}`,
    `--base-path=${folder}`,
  ];
  const child = spawn("git", args, { stdio: "ignore", detached: true });
  await untilListening(port);
  return {
    url: `git://127.0.0.1:${port}`,
    async close() {
      const ended = new Promise((done) => child.once("exit", done));
      if (child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function untilListening(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const answered = await new Promise<boolean>((done) => {
      const socket = connect(port, "127.0.0.1", () => done(true)).once("error", () => done(false));
      socket.once("connect", () => socket.destroy());
    });
    if (answered) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error("git daemon does not listen");
}
