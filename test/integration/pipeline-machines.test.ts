import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianTrouble, demoRepository, makeWorkplace, type Workplace } from "../support/cli.ts";
import { debrisIn, digestOfBuild, expectRefusal } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { snapshot } from "../support/fileSnapshot.ts";
import { runnerTrouble } from "../support/runner.ts";

const build = ["build", "hello-mpi", "--json", "--output", "oci:image"];
const user = process.getuid?.() === 0 ? 1234 : (process.getuid?.() ?? 1234);
const places: Workplace[] = [];
let digest: string;
let unstripped: string;

function repository(): Workplace {
  const work = makeWorkplace();
  places.push(work);
  makeDemoRepository(work);
  return work;
}

/** Lets the user have a workplace, all of it. */
function give(work: Workplace): void {
  if (process.getuid?.() !== 0) return;
  chownSync(work.directory, user, user);
  for (const item of readdirSync(work.directory, { recursive: true, encoding: "utf8" }))
    chownSync(work.path(item), user, user);
}

beforeAll(async () => {
  const work = repository();
  digest = digestOfBuild(await work.run(build));
  unstripped = digestOfBuild(await work.run([...build, "--no-strip"]));
});
afterAll(() => {
  for (const place of places) place.remove();
});

describe("a build on machines of all kinds", () => {
  it("gives the same to an ordinary user, every kind of output", async () => {
    const work = repository();
    give(work);
    const outputs = ["oci-archive:a.tar", "docker-archive:d.tar", "rootfs:plain"];
    const args = [...build, ...outputs.flatMap((output) => ["--output", output])];
    expect(digestOfBuild(await work.run(args, { uid: user }))).toBe(digest);
    expect(readdirSync(work.path("plain")).sort()).toEqual(["etc", "opt"]);
    expect((await work.run(["unpack", "hello-mpi", "--into", "into"], { uid: user })).status).toBe(0);
    expect(debrisIn(work.directory)).toEqual([]);
  });

  it("gives the same in a folder with an odd name, reached through a link, whatever the locale and the clock", async () => {
    const work = repository();
    const odd = join(work.directory, 'we ird é "$x" #%41 \n;');
    mkdirSync(odd);
    for (const name of ["cache", "cache.pub", "container_definitions", "spacktainers.yaml"])
      cpSync(work.path(name), join(odd, name), { recursive: true });
    symlinkSync(odd, work.path("link"));
    const env = { XDG_CACHE_HOME: join(odd, "cache home"), LC_ALL: "tr_TR.UTF-8", TZ: "Asia/Kathmandu" };
    const built = await work.run(build, { cwd: work.path("link"), env: { ...env, SOURCE_DATE_EPOCH: "" } });
    expect(digestOfBuild(built)).toBe(digest);
    expect(readdirSync(odd)).toContain("image");
    expect(debrisIn(work.directory)).toEqual([]);
  });

  it("gives the same when several run at once, on one cache home and one output", async () => {
    const work = repository();
    const results = await Promise.all([1, 2, 3, 4].map(() => work.run(build)));
    for (const result of results) expect(digestOfBuild(result)).toBe(digest);
    expect(debrisIn(work.directory)).toEqual([]);
  });

  it("leaves one of two whole images when two different ones are written to one place", async () => {
    const work = repository();
    const results = await Promise.all([work.run(build), work.run([...build, "--no-strip"])]);
    expect(results.map(digestOfBuild)).toEqual([digest, unstripped]);
    const files = snapshot(work.path("image"));
    const last = await work.run(build);
    expect(digestOfBuild(last)).toBe(digest);
    if (JSON.parse(last.stdout.trim().split("\n").at(-1) ?? "{}").upToDate)
      expect(snapshot(work.path("image"))).toEqual(files);
    expect(debrisIn(work.directory)).toEqual([]);
  });

  it.each(["cache home", "output"])("says so when the %s is not to be written to", async (what) => {
    const work = repository();
    give(work);
    mkdirSync(work.path("closed"));
    chmodSync(work.path("closed"), 0o555);
    const env = what === "output" ? {} : { XDG_CACHE_HOME: work.path("closed") };
    const output = what === "output" ? ["--output", "oci:closed/image"] : [];
    const result = await work.run(["build", "hello-mpi", "--quiet", ...output], { uid: user, env });
    expectRefusal(result, {
      code: "ACCESS_DENIED",
      status: 4,
      says: /\/closed\/\S+ .*permission denied/,
      hint: what === "output" ? "choose another place" : "XDG_CACHE_HOME",
    });
  });

  it("says so when what is kept of earlier runs is damaged, or makes it anew", async () => {
    const work = repository();
    digestOfBuild(await work.run(build));
    rmSync(work.path("image"), { recursive: true });
    const kept = readdirSync(work.cacheHome, { recursive: true, withFileTypes: true }).filter((item) =>
      item.isFile(),
    );
    expect(kept.length).toBeGreaterThan(10);
    for (const item of kept) {
      const path = join(item.parentPath, item.name);
      chmodSync(path, 0o644);
      writeFileSync(path, "");
    }
    expect(digestOfBuild(await work.run(build))).toBe(digest);
  });
});

const trouble = debianTrouble() ?? runnerTrouble();

describe.skipIf(trouble !== undefined)(
  `the demo as an ordinary user${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    it("builds, runs across ranks, and gives the files of the image to nobody else", async () => {
      const work = makeWorkplace();
      places.push(work);
      for (const item of ["spacktainers.yaml", "demo", "container_definitions"])
        cpSync(join(demoRepository, item), work.path(item), { recursive: true });
      give(work);
      digestOfBuild(await work.run(["build", "hello-mpi", "--json"], { uid: user }));
      const command = ["mpiexec", "-n", "2", "ring"];
      const ran = await work.run(["run", "-q", "--with", "namespace", "hello-mpi", "--", ...command], {
        uid: user,
      });
      expect(ran.stdout).toMatch(/^ring 1\.0\.0: 2 ranks .*right/m);
      expect(ran.status).toBe(0);
      expect(debrisIn(work.directory)).toEqual([]);
    });
  },
);
