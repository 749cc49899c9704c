import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { binary, makeWorkplace } from "../support/cli.ts";
import { debrisIn, jsonLines } from "../support/cliChecks.ts";
import { commandExists } from "../support/commandExists.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { type FaultServer, serveDirectory, stallAfter, startFaultServer } from "../support/faultServer.ts";
import { mountSmallDisk, smallDiskTrouble } from "../support/smallDisk.ts";
import { startOnTerminal, terminalTrouble } from "../support/terminalSession.ts";

const work = makeWorkplace();
let archivePath: string;
beforeAll(async () => {
  const cache = makeDemoRepository(work);
  expect((await work.run(["build", "hello-mpi", "--output", "oci:image"])).status).toBe(0);
  archivePath = cache.archive("mpich").slice(cache.directory.length);
});
afterAll(() => work.remove());

/** Runs a line of a shell in which `spacktainers` is the program; its status is that of the first part of a pipe that failed. */
function shell(line: string) {
  const program = `spacktainers() { "${process.execPath}" "${binary}" "$@"; }`;
  return spawnSync("bash", ["-c", `${program}\nset -o pipefail\n${line}`], {
    cwd: work.directory,
    env: { ...process.env, XDG_CACHE_HOME: work.cacheHome, NO_COLOR: "1" },
    encoding: "utf8",
  });
}

/** The link to the view comes last. */
function isUnpacked(folder: string): boolean {
  return lstatSync(join(folder, "opt/view"), { throwIfNoEntry: false }) !== undefined;
}

describe("when whoever reads the output stops reading", () => {
  it.each(["--json", "--quiet"])("the work is done all the same: unpack %s", (option) => {
    const { status, stderr } = shell(`spacktainers unpack hello-mpi ${option} --into 'a${option}' | true`);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(isUnpacked(work.path(`a${option}`))).toBe(true);
  });

  it("the work is done all the same: build, after its first line", () => {
    const { status, stdout, stderr } = shell("spacktainers build hello-mpi --json -o oci:piped | head -n 1");
    expect(stderr).toBe("");
    expect(jsonLines({ stdout })).toHaveLength(1);
    expect(status).toBe(0);
    expect(existsSync(work.path("piped/index.json"))).toBe(true);
  });

  it("so do the reports of progress", () => {
    const { status, stdout } = shell("spacktainers build hello-mpi -o oci:image2 2> >(true)");
    expect(stdout).toContain("oci:image2");
    expect(status).toBe(0);
  });

  it("work that fails is no success", () => {
    const line = "spacktainers unpack hello-mpi --json --into b --cache nowhere --trust cache.pub | true";
    expect(shell(line).status).toBe(4);
    expect(existsSync(work.path("b"))).toBe(false);
  });

  it("a verdict is in the exit status", () => {
    writeFileSync(work.path("bad.yaml"), "nonsense: 1\n");
    const at = (folder: string) => `mkdir -p ${folder} && cp bad.yaml ${folder}/spacktainers.yaml`;
    expect(shell(`${at("bad")}; spacktainers -C bad check | true`).status).toBe(3);
    expect(shell("spacktainers lock hello-mpi --check 2>/dev/null | true").status).toBe(3);
  });

  it("what only prints says nothing", () => {
    for (const verb of ["list", "list --json", "--help", "explain hello-mpi --json", "sbom oci:image"]) {
      const { status, stderr } = shell(`spacktainers ${verb} --quiet | true`);
      expect(stderr).toBe("");
      expect(status).toBe(0);
    }
  });
});

describe("output that cannot be written", () => {
  const full = "error  DISK_FULL  standard output is incomplete: the disk is full\n";

  it.each([
    "list",
    "list --json",
    "--help",
    "--version",
    "explain hello-mpi",
    "check",
    "sbom oci:image",
    "lock hello-mpi --quiet",
  ])("is one line and no success: %s", (args) => {
    const { status, stdout, stderr } = shell(`spacktainers ${args} --quiet >/dev/full`);
    expect({ status, stdout, stderr }).toEqual({ status: 1, stdout: "", stderr: full });
  });

  it.skipIf(!commandExists("mksquashfs"))(
    `stops what streams${commandExists("mksquashfs") ? "" : " (skipped: squashfs-tools are not installed)"}`,
    () => {
      expect(shell("spacktainers sif oci:image -o image.sif --quiet").status).toBe(0);
      const toDisk = shell("spacktainers sif dump image.sif 4 >/dev/full");
      expect(toDisk).toMatchObject({ status: 1, stdout: "", stderr: full });
      const toReader = shell("spacktainers sif dump image.sif 4 | head -c 4");
      expect(toReader).toMatchObject({ status: 0, stdout: "hsqs", stderr: "" });
    },
  );

  it("does not hide another failure", () => {
    const { status, stderr } = shell("spacktainers unpack nowhere --into c >/dev/full");
    expect(stderr).toMatch(/^error {2}UNKNOWN_CONTAINER {2}/);
    expect(status).toBe(2);
    // The error itself would have gone there.
    const json = shell("spacktainers unpack nowhere --into c --json >/dev/full");
    expect(json).toMatchObject({ status: 2, stderr: full });
  });

  it("does not stop the work", () => {
    const { status, stderr } = shell("spacktainers unpack hello-mpi --json --into d >/dev/full");
    expect(stderr).toBe(full);
    expect(status).toBe(1);
    expect(isUnpacked(work.path("d"))).toBe(true);
  });

  it("is nothing to fail for where it is progress or an error", () => {
    const fine = shell("spacktainers unpack hello-mpi --into e 2>/dev/full");
    expect(fine).toMatchObject({ status: 0, stdout: expect.stringContaining("3 packages in ") });
    expect(shell("spacktainers nonsense 2>/dev/full")).toMatchObject({ status: 2, stdout: "" });
  });

  it("may be closed", () => {
    expect(shell("spacktainers list >&-")).toMatchObject({ status: 0, stdout: "", stderr: "" });
    expect(shell("spacktainers list 2>&-")).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("ring"),
    });
    expect(shell("spacktainers unpack hello-mpi --into f <&- >&- 2>&-")).toMatchObject({ status: 0 });
    expect(isUnpacked(work.path("f"))).toBe(true);
  });

  it.skipIf(smallDiskTrouble() !== undefined)(
    `is noticed where a part of it fits${smallDiskTrouble() === undefined ? "" : ` (skipped: ${smallDiskTrouble()})`}`,
    () => {
      const disk = mountSmallDisk(work.path("small"), 64 * 1024);
      try {
        writeFileSync(work.path("small/other"), Buffer.alloc(50 * 1024));
        const whole = shell("spacktainers explain hello-mpi --json").stdout.length;
        writeFileSync(work.path("small/other"), Buffer.alloc(64 * 1024 - Math.min(whole, 8192)));
        const { status, stderr } = shell("spacktainers explain hello-mpi --json >small/explained");
        expect(statSync(work.path("small/explained")).size).toBeLessThan(whole);
        expect({ status, stderr }).toEqual({ status: 1, stderr: full });
      } finally {
        disk.unmount();
      }
    },
  );
});

describe("a program that waits for what never comes", () => {
  it("has not done its work, and says so", () => {
    const never =
      'import fs from "node:fs/promises"; import { syncBuiltinESMExports } from "node:module"; fs.readdir = () => new Promise(() => {}); syncBuiltinESMExports();';
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--import", `data:text/javascript,${encodeURIComponent(never)}`, binary, "list"],
      { cwd: work.directory, encoding: "utf8" },
    );
    expect({ status, stdout, stderr }).toEqual({
      status: 1,
      stdout: "",
      stderr: "error  INTERNAL  the program ended before its work was done\n",
    });
  });
});

describe.skipIf(terminalTrouble() !== undefined)(
  `a terminal that goes away${terminalTrouble() === undefined ? "" : ` (skipped: ${terminalTrouble()})`}`,
  () => {
    let server: FaultServer;
    beforeAll(async () => {
      server = await startFaultServer();
      await serveDirectory(server, work.path("cache"));
    });
    afterAll(() => server.close());

    it("interrupts the work, which leaves nothing unfinished", async () => {
      const place = makeWorkplace();
      makeDemoRepository(place, server.url);
      server.faults.set(archivePath, [stallAfter(1_000_000)]);
      // The shell writes down who it became.
      const script = `echo $$ > pid; exec "${process.execPath}" "${binary}" unpack hello-mpi --into g 2>err`;
      const session = startOnTerminal(["sh", "-c", script], {
        cwd: place.directory,
        env: { ...process.env, XDG_CACHE_HOME: place.cacheHome },
      });
      while (!server.requests.some(({ path }) => path === archivePath)) await sleep(20);
      const pid = readFileSync(place.path("pid"), "utf8").trim();
      session.stop();
      while (existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8")))
        await sleep(20);
      expect(readFileSync(place.path("err"), "utf8")).toContain("error  INTERRUPTED  interrupted");
      expect(debrisIn(place.directory).filter((path) => !path.endsWith(".partial"))).toEqual([]);
      place.remove();
    });

    it("is nothing to work that was started by nohup", async () => {
      const place = makeWorkplace();
      makeDemoRepository(place, server.url);
      const child = place.start(["unpack", "hello-mpi", "--into", "g", "--json"]);
      const ended = new Promise((done) => child.on("close", done));
      await new Promise((resolve) => child.stdout?.once("data", resolve));
      child.stdout?.resume();
      child.kill("SIGHUP");
      expect(await ended).toBe(0);
      expect(isUnpacked(place.path("g"))).toBe(true);
      place.remove();
    });
  },
);
