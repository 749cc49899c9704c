import { spawn, spawnSync } from "node:child_process";
import { lstatSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { shellLine } from "../../src/util/shellQuote.ts";
import { binary, type CommandResult, makeWorkplace } from "../support/cli.ts";
import { debrisIn, digestOfBuild } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { serveDirectory, stallAfter, startFaultServer } from "../support/faultServer.ts";
import { runnerTrouble } from "../support/runner.ts";

const work = makeWorkplace();
let archivePath: string;
const digests = new Map<string, string>();
const build = (format: string) => ["build", "hello-mpi", "--json", "--force", "-o", `oci:${format}`];

beforeAll(async () => {
  const cache = makeDemoRepository(work);
  archivePath = cache.archive("mpich").slice(cache.directory.length);
  for (const format of ["gzip", "zstd"]) {
    choose(format);
    digests.set(format, digestOfBuild(await work.run(build(format))));
  }
});
afterAll(() => work.remove());

function choose(format: string): void {
  makeDemoRepository(work);
  spawnSync("sh", ["-c", `echo 'layers: {compression: ${format}}' >> spacktainers.yaml`], {
    cwd: work.directory,
  });
  rmSync(work.cacheHome, { recursive: true, force: true });
}

/** What starts the program with its address space limited, in kilobytes as `ulimit` has them. */
const limited = (kilobytes: number, args: readonly string[]): readonly string[] => [
  "-c",
  `ulimit -v ${kilobytes} && exec ${shellLine([process.execPath, binary, ...args])}`,
];

const options = {
  cwd: work.directory,
  env: { ...process.env, XDG_CACHE_HOME: work.cacheHome, NO_COLOR: "1" },
};

function run(kilobytes: number, args: readonly string[]): CommandResult {
  return spawnSync("bash", limited(kilobytes, args), { ...options, encoding: "utf8" });
}

describe.each([4_000_000, 8_000_000, 24_000_000])("with %d kB of address space", (kilobytes) => {
  it.each(["gzip", "zstd"])("images are built from nothing, the same ones: %s", (format) => {
    choose(format);
    const result = run(kilobytes, build(format));
    expect(result.stderr).toBe("");
    expect(digestOfBuild(result)).toBe(digests.get(format));
  });

  it("packages are unpacked", () => {
    rmSync(work.cacheHome, { recursive: true, force: true });
    expect(run(kilobytes, ["unpack", "hello-mpi", "--into", `into${kilobytes}`, "--quiet"]).status).toBe(0);
    expect(lstatSync(work.path(`into${kilobytes}/opt/view`), { throwIfNoEntry: false })).toBeDefined();
  });

  const trouble = runnerTrouble();
  it.skipIf(trouble !== undefined).each(["gzip", "zstd"])(
    `layers are unpacked to run the image: %s${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
    (format) => {
      rmSync(work.cacheHome, { recursive: true, force: true });
      const ring = ["run", format, "--quiet", "--with", "namespace", "--", "/nothing/like/it"];
      const { status, stderr } = run(kilobytes, ring);
      expect(stderr).not.toContain("error ");
      // The base is empty: there is no shell that could start it.
      expect(status).toBe(127);
    },
  );
});

describe("too little address space", () => {
  it("is one error that says what to set, where threads are needed", () => {
    choose("gzip");
    const { status, stdout, stderr } = run(2_000_000, ["build", "hello-mpi", "--quiet", "-o", "oci:small"]);
    expect(stdout).toBe("");
    expect(stderr).toBe(
      "error  OUT_OF_MEMORY  the address space of processes is limited to 2.0 GB (ulimit -v), which is not enough\n  hint: ulimit -v unlimited; or, where that is not allowed, at least 4 GB: ulimit -v 4000000\n",
    );
    expect(status).toBe(1);
  });

  it("is enough to look around", () => {
    expect(run(1_000_000, ["list"])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("hello-mpi"),
    });
    expect(run(1_000_000, ["check"]).status).toBe(0);
    expect(run(1_000_000, ["nonsense"]).status).toBe(2);
  });
});

describe("the process that waits for the one with less address space", () => {
  it("passes signals on", async () => {
    const server = await startFaultServer();
    const place = makeWorkplace();
    try {
      await serveDirectory(server, work.path("cache"));
      makeDemoRepository(place, server.url);
      server.faults.set(archivePath, [stallAfter(1_000_000)]);
      const child = spawn("bash", limited(4_000_000, ["build", "hello-mpi", "--quiet"]), {
        cwd: place.directory,
        env: { ...options.env, XDG_CACHE_HOME: place.cacheHome },
        stdio: ["ignore", "ignore", "pipe"],
      });
      let stderr = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        stderr += text;
      });
      const ended = new Promise((done) => child.once("close", done));
      while (!server.requests.some(({ path }) => path === archivePath)) await sleep(20);
      child.kill("SIGTERM");
      expect(await ended).toBe(130);
      expect(stderr).toMatch(/^error {2}INTERRUPTED {2}interrupted\n {2}hint: .*\n$/);
      expect(debrisIn(place.directory).filter((path) => !path.endsWith(".partial"))).toEqual([]);
    } finally {
      place.remove();
      await server.close();
    }
  });
});
