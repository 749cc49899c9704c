/** The verbs around building - lock, plan, spack, build --shell - with a stand-in for Spack. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { canStandIn } from "../support/spackStandIn/spackStandIn.ts";
import { lockOf, makeTrial, type Trial } from "../support/spackStandIn/standInTrial.ts";

const places: Workplace[] = [];
afterAll(() => {
  for (const place of places) place.remove();
});
async function trial(specs: readonly string[], configuration = ""): Promise<Trial> {
  const made = await makeTrial(specs, configuration);
  places.push(made.work);
  return made;
}

const folder = "container_definitions/amd64/sim";

describe.skipIf(!canStandIn)("with a stand-in for Spack (needs python3, git and what compiles)", () => {
  it("lock lets Spack choose what no cache has, and writes the second lock when there are archives", async () => {
    const { work, commands } = await trial(["app", "zlib@1.3.1"]);
    writeFileSync(work.path(folder, "spacktainers.lock"), "{}");
    const first = jsonLines(await work.run(["--json", "lock", "sim"])).at(-1);
    expect(first).toMatchObject({ type: "result", version: "2.0", packages: 4, basePackages: 0 });
    expect(
      [first?.toBuild]
        .flat()
        .map((name) => String(name).split("@")[0])
        .sort(),
    ).toEqual(["app", "cmake", "compiler", "hdf5", "tool", "zlib"]);
    expect(lockOf(work).roots.map(({ spec }) => spec)).toEqual(["app", "zlib@1.3.1"]);
    // It named archives, of which there are none yet.
    expect(existsSync(work.path(folder, "spacktainers.lock"))).toBe(false);
    expect(commands().map(([command]) => command)).toEqual(["compiler", "concretize"]);

    expect(await work.run(["-q", "build", "sim"])).toMatchObject({ status: 0, stderr: "" });
    const second = jsonLines(await work.run(["--json", "lock", "sim", "--solve"])).at(-1);
    expect(second).toMatchObject({ toBuild: [], files: [{ changed: false }, { changed: true }] });
    expect(await work.run(["-q", "build", "sim", "--frozen"])).toMatchObject({ status: 0, stderr: "" });
    commands();
    await work.run(["-q", "lock", "sim", "--fresh"]);
    expect(commands().find(([command]) => command === "concretize")).toContain("--fresh");
  });

  it("plan tells what building takes, and builds nothing", async () => {
    const { work, commands } = await trial(["app"]);
    const unknown = await work.run(["-q", "plan", "sim"]);
    expect(unknown.status).toBe(3);
    expect(unknown.stderr).toContain("to see which: `plan --solve`");
    const solved = await work.run(["-q", "plan", "sim", "--solve"]);
    expect(solved.stderr).toBe("");
    expect(solved.stdout).toMatch(
      /^sim amd64 {2}6 packages to build, the time is not known yet\n {2}by +host, at most \d+ at a time\n/,
    );
    expect(solved.stdout).toMatch(/\+ +cmake@1\.0\/\w{7} +only to build others\n/);
    expect(existsSync(work.path(folder, "spack.lock"))).toBe(false);
    expect(commands().map(([command]) => command)).toEqual(["compiler", "concretize"]);

    await work.run(["-q", "lock", "sim"]);
    await work.run(["-q", "build", "sim", "--only-dependencies"]);
    const rest = jsonLines(await work.run(["--json", "plan", "sim"])).at(-1);
    expect(rest).toMatchObject({
      name: "sim",
      build: { executor: "host", packages: [{ name: "app", buildOnly: false }], known: 0, fetched: 4 },
    });
    await work.run(["-q", "build", "sim"]);
    // Everything is there: what is planned is the image.
    expect(jsonLines(await work.run(["--json", "plan", "sim"])).at(-1)).toMatchObject({ upToDate: true });
  });

  it("plan knows how long packages took here before", async () => {
    const { work } = await trial(["hdf5"]);
    await work.run(["-q", "build", "sim"]);
    // What was built is lost; what it took is not.
    const home = work.path("cache-home/spacktainers/spack");
    for (const name of readdirSync(home))
      if (name.startsWith("t-")) rmSync(join(home, name), { recursive: true });
    const plan = await work.run(["-q", "plan", "sim"]);
    expect(plan.stdout).toMatch(/^sim amd64 {2}4 packages to build, about [\d.]+ s\n/);
    expect(plan.stdout).toMatch(
      /longest +compiler@1\.0\/\w{7} → (?:cmake@1\.0|zlib@1\.3\.1)\/\w{7} → hdf5@1\.14\/\w{7}\n/,
    );
    expect(plan.stdout).toMatch(/\+ +hdf5@1\.14\/\w{7} +[\d.]+ s/);
  });

  it("spack runs Spack, with a container's environment where one is named, and passes its exit status on", async () => {
    const { work, commands } = await trial(["app"]);
    expect(await work.run(["-q", "spack", "--", "info", "--all", "hdf5"])).toMatchObject({
      status: 0,
      stdout: "stand-in for Spack: info --all hdf5\n",
    });
    expect((await work.run(["-q", "spack", "--", "fail"])).status).toBe(7);
    const inside = await work.run(["-q", "spack", "--container", "sim", "--", "spec", "hdf5", "+mpi"]);
    expect(inside).toMatchObject({ status: 0, stdout: "hdf5 +mpi\n" });
    expect((await work.run(["-q", "spack", "--container", "none", "--", "find"])).status).toBe(2);
    await work.run(["-q", "build", "sim"]);
    const found = await work.run(["-q", "spack", "--container", "sim", "--", "find"]);
    expect(found.stdout.trim().split("\n").sort()).toEqual([
      "app@2.0",
      "cmake@1.0",
      "compiler@1.0",
      "hdf5@1.14",
      "tool@0.9",
      "zlib@1.3.1",
    ]);
    commands();
  });

  it("build --shell opens a shell where a package failed", async () => {
    const { work, trouble } = await trial(["app"]);
    const early = await work.run(["-q", "build", "sim", "--shell", "tool"]);
    expect(early).toMatchObject({ status: 4 });
    expect(early.stderr).toContain("has no lock");
    writeFileSync(trouble, "");
    await work.run(["-q", "build", "sim"]);
    const shell = await work.run(["-q", "build", "sim", "--shell", "tool"], {
      input: 'echo "at $PWD of $SPACK_BUILD_OF"\nexit 5\n',
    });
    expect(shell.status).toBe(5);
    expect(shell.stdout).toMatch(/at \S+\/stage\/spack-stage-tool-0\.9-\w{32}\/spack-src of \/\w{32}\n/);
    const done = await work.run(["-q", "build", "sim", "--shell", "compiler"]);
    expect(done.stderr).toContain("no files are left from the build of compiler@1.0");
    expect((await work.run(["-q", "build", "--shell", "tool"])).status).toBe(2);
    expect((await work.run(["-q", "build", "sim", "--shell", "nothing"])).status).toBe(4);
    expect(readFileSync(work.path(folder, "spack.lock"), "utf8")).toContain("tool");
  });
});
