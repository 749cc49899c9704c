import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { binary, type CommandOptions, makeWorkplace } from "../support/cli.ts";
import { debrisIn } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { snapshot } from "../support/fileSnapshot.ts";

/** Root may write everywhere: where the tests run as root, somebody else tries. */
const uid = process.getuid?.() === 0 ? 65_534 : undefined;
const work = makeWorkplace();

beforeAll(async () => {
  makeDemoRepository(work);
  expect((await work.run(["build", "hello-mpi", "--output", "oci:image", "--quiet"])).status).toBe(0);
  for (const name of ["fixed", "cache-home", "own"]) mkdirSync(work.path(name), { recursive: true });
  for (const name of ["cache-home", "own"]) giveAway(work.path(name));
  chmodSync(work.path("fixed"), 0o555);
  chmodSync(work.directory, 0o755);
});
afterAll(() => work.remove());

function giveAway(path: string): void {
  if (uid !== undefined) spawnSync("chown", ["-R", String(uid), path]);
}

const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
  const options: CommandOptions = { env, ...(uid === undefined ? {} : { uid }) };
  return work.run([...args, "--quiet"], options);
};

describe("a cache home that cannot be written", () => {
  const hint = "  hint: set XDG_CACHE_HOME to a directory that you can write to\n";

  it.each([
    ["build hello-mpi -o oci:own/a"],
    ["plan hello-mpi"],
    ["explain hello-mpi"],
    ["unpack hello-mpi --into own/b"],
    ["run image --with namespace -- true"],
  ])("is named, with the variable to set: %s", async (line) => {
    const { status, stdout, stderr } = await run(
      line.split(/ +/).flatMap((word) => (word === "--" ? ["--quiet", word] : [word])),
      {
        XDG_CACHE_HOME: work.path("fixed"),
      },
    );
    expect(stdout).toBe("");
    expect(stderr).toBe(
      `${work.path("fixed")}/spacktainers  error  ACCESS_DENIED  the cache home cannot be written: permission denied\n${hint}`,
    );
    expect(status).toBe(4);
  });

  it("is that of a home directory, too", async () => {
    const { status, stderr } = await run(["plan", "hello-mpi"], {
      XDG_CACHE_HOME: "",
      HOME: work.path("fixed"),
    });
    expect(stderr).toBe(
      `${work.path("fixed")}/.cache/spacktainers  error  ACCESS_DENIED  the cache home cannot be written: permission denied\n${hint}`,
    );
    expect(status).toBe(4);
  });

  it.each([["/proc/nope"], ["/proc/nope/deeper"], ["/etc/hostname"]])(
    "is no place that is tried for ever: %s",
    async (place) => {
      const { status, stderr } = await run(["plan", "hello-mpi"], { XDG_CACHE_HOME: place });
      expect(stderr).toMatch(
        /^\S+ {2}error {2}(IO|ACCESS_DENIED) {2}the cache home cannot be written: .*\n {2}hint: /,
      );
      expect([1, 4]).toContain(status);
      // What keeps nothing does without, on every Node.
      for (const verb of ["list", "check"])
        expect(await run([verb], { XDG_CACHE_HOME: place })).toMatchObject({ status: 0, stderr: "" });
    },
  );
});

describe("an output that cannot be written", () => {
  it.each([
    ["build hello-mpi --output oci:fixed/image", "fixed/image"],
    ["build hello-mpi --output oci:own/fine --output oci-archive:fixed/deep/er.tar", "fixed/deep/er.tar"],
    ["build hello-mpi --output rootfs:fixed/root", "fixed/root"],
    ["build hello-mpi --output sif:fixed/x.sif", "fixed/x.sif"],
    ["unpack hello-mpi --into fixed", "fixed"],
    ["unpack hello-mpi --into fixed/new", "fixed/new"],
    ["sif oci:image --output fixed/x.sif", "fixed/x.sif"],
    ["lock hello-mpi", "container_definitions/amd64/hello-mpi/spack.lock"],
  ])("is refused before the work: %s", async (line, place) => {
    if (place.startsWith("container_definitions") && uid === undefined)
      chmodSync(work.path("container_definitions/amd64/hello-mpi"), 0o555);
    rmSync(work.path("cache-home/spacktainers"), { recursive: true, force: true });
    const { status, stdout, stderr } = await run(line.split(" "), {
      XDG_CACHE_HOME: work.path("cache-home"),
    });
    if (uid === undefined) chmodSync(work.path("container_definitions/amd64/hello-mpi"), 0o755);
    expect(stdout).toBe("");
    expect(stderr).toBe(
      `${work.path(place)}  error  ACCESS_DENIED  the output cannot be written: permission denied\n  hint: choose another place for it\n`,
    );
    expect(status).toBe(4);
    const downloads = work.path("cache-home/spacktainers/downloads");
    expect(existsSync(downloads) ? debrisIn(downloads) : []).toEqual([]);
    expect(existsSync(work.path("cache-home/spacktainers/fragments"))).toBe(false);
    expect(readdirSync(work.path("fixed"))).toEqual([]);
  });

  it("nor a device, nor what the system makes up", async () => {
    for (const place of ["/proc/nope/image", "/dev/null/image"]) {
      const { status, stderr } = await work.run(["build", "hello-mpi", "--quiet", "-o", `oci:${place}`]);
      expect(stderr).toMatch(/^\S+ {2}error {2}(IO|ACCESS_DENIED) {2}the output cannot be written: /);
      expect([1, 4]).toContain(status);
    }
  });

  it("is not put in the place of a device or a pipe, and they are not read", async () => {
    for (const name of ["own/pipe", "own/link"]) rmSync(work.path(name), { force: true });
    spawnSync("mkfifo", [work.path("own/pipe")]);
    symlinkSync("/dev/full", work.path("own/link"));
    const lines = [
      ...["oci-archive", "docker-archive", "squashfs"].map((form) => `build hello-mpi --force -o ${form}:`),
      "build hello-mpi -o oci-archive:",
      "sbom oci:image --output ",
    ];
    for (const place of [work.path("own/pipe"), work.path("own/link")])
      for (const line of lines) {
        const before = lstatSync(place);
        const { status, stderr } = await run(`${line}${place}`.split(" "), {
          XDG_CACHE_HOME: work.path("cache-home"),
        });
        expect(stderr).toContain("OUTPUT_EXISTS  a device, a pipe or a socket is where the file should go");
        expect(status).toBe(1);
        expect(lstatSync(place)).toMatchObject({ ino: before.ino, mode: before.mode });
      }
    expect(debrisIn(work.path("own"))).toEqual([]);
  });
});

describe("a file that is none", () => {
  const definition = "container_definitions/amd64/hello-mpi";
  const places = ["spacktainers.lock", "spack.lock"].map((name) => `${definition}/${name}`);

  it.each(places)("is neither waited for nor read for ever: %s", async (place) => {
    for (const make of [
      ["mkfifo", work.path(place)],
      ["ln", "-s", "/dev/zero", work.path(place)],
    ]) {
      spawnSync(make[0] ?? "", make.slice(1));
      const { status, stderr } = await work.run(["plan", "hello-mpi", "--quiet", "--frozen"]);
      rmSync(work.path(place));
      expect(stderr).toContain("this is not a file");
      expect(status).not.toBe(0);
    }
  });

  it("recipe facts neither", async () => {
    writeFileSync(work.path("spacktainers.yaml.old"), "");
    spawnSync(
      "sh",
      ["-c", "cp spacktainers.yaml kept && mkfifo facts && echo 'recipes: facts' >> spacktainers.yaml"],
      {
        cwd: work.directory,
      },
    );
    const { status, stderr } = await work.run(["plan", "hello-mpi", "--quiet"]);
    spawnSync("sh", ["-c", "mv kept spacktainers.yaml; rm facts"], { cwd: work.directory });
    expect(stderr).toMatch(/error {2}[A-Z_]+ {2}/);
    expect(status).not.toBe(0);
  });
});

describe("work that does not answer", () => {
  it.each(["SIGTERM", "SIGINT"] as const)("is ended within seconds of %s", async (signal) => {
    // A file that nobody writes to stands for a file server that is gone.
    const pipe = work.path(`pipe-${signal}`);
    spawnSync("mkfifo", [pipe]);
    const wait = `import fs from "node:fs/promises"; import { syncBuiltinESMExports } from "node:module"; fs.readdir = () => fs.open(${JSON.stringify(pipe)}); syncBuiltinESMExports();`;
    const child = spawn(
      process.execPath,
      ["--import", `data:text/javascript,${encodeURIComponent(wait)}`, binary, "list"],
      { cwd: work.directory, stdio: ["ignore", "ignore", "pipe"] },
    );
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const ended = new Promise((done) => child.once("close", (status, by) => done(by ?? status)));
    await sleep(1500);
    child.kill(signal);
    // To shells this is 130.
    expect(await ended).toBe("SIGINT");
    expect(stderr).toContain("error  INTERRUPTED  interrupted");
  });
});

describe("unpacking into one folder", () => {
  it("four times at once gives what one gives, and the others say that they wait", async () => {
    const place = makeWorkplace();
    makeDemoRepository(place);
    const args = ["unpack", "hello-mpi", "--into"];
    expect((await place.run([...args, "alone"])).status).toBe(0);
    const results = await Promise.all([1, 2, 3, 4].map(() => place.run([...args, "shared"])));
    for (const { status, stderr, stdout } of results) {
      expect(stderr).not.toContain("error ");
      expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining("3 packages in ") });
    }
    expect(snapshot(place.path("shared"))).toEqual(snapshot(place.path("alone")));
    expect(debrisIn(place.path("shared"))).toEqual([]);
    place.remove();
  });
});
