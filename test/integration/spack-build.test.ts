/** Building what no cache has, from an empty cache to an image, with a stand-in for Spack: every command line is the real one's. */
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { processIsAlive } from "../../src/util/processes.ts";
import type { Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { hangingBuild } from "../support/spackStandIn/hangingBuild.ts";
import { canStandIn } from "../support/spackStandIn/spackStandIn.ts";
import { define, installsIn, lockOf, makeTrial, type Trial } from "../support/spackStandIn/standInTrial.ts";

const places: Workplace[] = [];
afterAll(() => {
  for (const place of places) place.remove();
});

async function trial(specs: readonly string[], configuration = ""): Promise<Trial> {
  const made = await makeTrial(specs, configuration);
  places.push(made.work);
  return made;
}

const namesOf = (commands: readonly (readonly string[])[]) => [
  ...new Set(commands.map(([command]) => command)),
];

describe.skipIf(!canStandIn)(
  "build, with a stand-in for Spack (needs python3, git and what compiles)",
  () => {
    it("builds everything from nothing, then nothing again", async () => {
      const { work, commands } = await trial(["app", "zlib@1.3.1"]);
      const first = await work.run(["--json", "build", "sim"]);
      expect(first.stderr).toBe("");
      const events = jsonLines(first);
      const result = events.at(-1);
      expect(result).toMatchObject({ type: "result", version: "2.0", upToDate: false });
      const asked = commands();
      expect(namesOf(asked)).toEqual(["compiler", "concretize", "install", "buildcache"]);
      const order = installsIn(work, asked);
      expect([...order].sort()).toEqual(["app", "cmake", "compiler", "hdf5", "tool", "zlib"]);
      // Everything comes after what it needs, and is pushed before what needs it begins.
      const { concrete_specs: specs } = lockOf(work);
      const steps = asked.map((words) => `${words[0]} ${specs[words.at(-1)?.slice(1) ?? ""]?.name}`);
      for (const [before, after] of [
        ["compiler", "cmake"],
        ["cmake", "hdf5"],
        ["hdf5", "app"],
        ["tool", "app"],
      ])
        expect(steps.indexOf(`buildcache ${before}`)).toBeLessThan(steps.indexOf(`install ${after}`));
      expect(result?.packages).toHaveLength(4);
      expect(JSON.stringify(result?.packages)).not.toMatch(/cmake|compiler/);
      expect(events.filter(({ type }) => type === "task-phase").map(({ phase }) => phase)).toEqual(
        expect.arrayContaining(["fetch", "configure", "build", "install", "push"]),
      );

      const again = jsonLines(await work.run(["--json", "build", "sim"])).at(-1);
      expect(again).toMatchObject({ upToDate: true, digest: result?.digest });
      expect(commands()).toEqual([]);
      // The image can be unpacked, and knows its place.
      const unpacked = await work.run(["-q", "build", "sim", "--output", "rootfs:root"]);
      expect(unpacked).toMatchObject({ status: 0, stderr: "" });
      const files = readdirSync(work.path("root/opt/software"), { recursive: true, encoding: "utf8" });
      const path = files.find((file) => file.endsWith("/bin/app")) ?? "";
      const program = readFileSync(work.path("root/opt/software", path), "utf8");
      expect(program).toMatch(/^#!\/bin\/sh\necho app 2\.0 of \/opt\/software\/\S+\/app-2\.0-\w{32}\n$/);
    });

    it("says why a package failed and what that means, keeps what was built, and goes on from there", async () => {
      const { work, commands, trouble } = await trial(["app"]);
      writeFileSync(trouble, "");
      const failed = await work.run(["build", "sim"]);
      expect(failed.status).toBe(1);
      expect(failed.stderr).toMatch(/tool@0\.9\/\w{7} failed in its phase build\n {2}line \d+ of its log:\n/);
      expect(failed.stderr).toContain("  > tool.c:3:5: error: expected ';' before 'return'\n");
      expect(failed.stderr).toMatch(/ {2}not built because of it: app@2\.0\/\w{7}\n/);
      expect(failed.stderr).toMatch(
        /error {2}BUILD_FAILED {2}tool@0\.9\/\w{7} was not built: build failed: tool\.c:3:5/,
      );
      const log = / {2}the whole log: (\S+)\n/.exec(failed.stderr)?.[1] ?? "";
      expect(readFileSync(log, "utf8")).toContain("make: *** [Makefile:2: all] Error 1");
      expect(existsSync(work.path("dist"))).toBe(false);
      const before = installsIn(work, commands());
      rmSync(trouble);
      expect(await work.run(["-q", "build", "sim"])).toMatchObject({ status: 0, stderr: "" });
      const after = installsIn(work, commands());
      expect(after.at(-1)).toBe("app");
      expect(after).toContain("tool");
      // Nothing is built twice but what failed.
      expect(before.filter((name) => after.includes(name))).toEqual(["tool"]);
    });

    it("builds everything that does not need what failed with --keep-going", async () => {
      const { work, commands, trouble } = await trial(["app", "slow"]);
      writeFileSync(trouble, "");
      const failed = await work.run(["-q", "build", "sim", "--keep-going"]);
      expect(failed.status).toBe(1);
      expect([...installsIn(work, commands())].sort()).toEqual([
        "cmake",
        "compiler",
        "hdf5",
        "slow",
        "tool",
        "zlib",
      ]);
    });

    it("leaves no process behind when it is interrupted or killed, and rebuilds nothing that was published", async () => {
      for (const signal of ["SIGINT", "SIGKILL"] as const) {
        const { work, commands, trouble } = await trial(["slow"]);
        writeFileSync(`${trouble}-hang`, "");
        const child = work.start(["build", "sim"]);
        const logs = work.path("cache-home/spacktainers/spack/logs");
        const hanging = () => hangingBuild(logs);
        await expect.poll(hanging, { timeout: 120_000 }).toBeGreaterThan(0);
        const pid = hanging();
        expect(processIsAlive(pid)).toBe(true);
        const over = once(child, "exit");
        child.kill(signal);
        await over;
        await expect.poll(() => processIsAlive(pid), { timeout: 30_000 }).toBe(false);
        const before = installsIn(work, commands());
        expect(before.at(-1)).toBe("slow");
        rmSync(`${trouble}-hang`);
        expect(await work.run(["-q", "build", "sim"])).toMatchObject({ status: 0, stderr: "" });
        expect(installsIn(work, commands())).toEqual(["slow"]);
      }
    });

    it("takes what caches have, and needs nothing that it was built with", async () => {
      const donor = await trial(["hdf5", "tool"]);
      const cache = donor.work.path("shared");
      writeFileSync(
        donor.work.path("spacktainers.yaml"),
        `${readFileSync(donor.work.path("spacktainers.yaml"), "utf8")}caches: [{ url: shared, unsigned: true, push: true }]\n`,
      );
      expect((await donor.work.run(["-q", "build", "sim"])).status).toBe(0);
      expect(readdirSync(join(cache, "v3/manifests/spec")).sort()).toEqual([
        "cmake",
        "compiler",
        "hdf5",
        "tool",
        "zlib",
      ]);

      const { work, commands } = await trial(["app"], `caches: [{ url: ${cache}, unsigned: true }]\n`);
      writeFileSync(
        work.path("container_definitions/amd64/sim/spack.lock"),
        // The same recipes give the same hashes: what Spack chose there is what it would choose here.
        await lockOfSame(donor, "app"),
      );
      const result = jsonLines(await work.run(["--json", "build", "sim"])).at(-1);
      expect(result).toMatchObject({ type: "result" });
      expect(installsIn(work, commands())).toEqual(["app"]);
    });

    it("builds the dependencies only, or up to a phase only, and makes no image then", async () => {
      const { work, commands } = await trial(["app"]);
      const dependencies = jsonLines(await work.run(["--json", "build", "sim", "--only-dependencies"])).at(
        -1,
      );
      expect(dependencies).toMatchObject({ type: "result", name: "sim" });
      expect([...installsIn(work, commands())].sort()).toEqual(["cmake", "compiler", "hdf5", "tool", "zlib"]);
      const until = jsonLines(await work.run(["--json", "build", "sim", "--until", "configure"])).at(-1);
      expect(until?.built).toEqual([expect.stringMatching(/^app@2\.0/)]);
      const asked = commands();
      expect(asked.map(([command]) => command)).toEqual(["install"]);
      expect(asked[0]).toContain("--until=configure");
      expect(existsSync(work.path("dist"))).toBe(false);
      expect(await work.run(["-q", "build", "sim"])).toMatchObject({ status: 0 });
      expect(installsIn(work, commands())).toEqual(["app"]);
    });

    it("builds again what is developed when its folder has changed, and what needs it, and publishes that", async () => {
      const shared = "caches: [{ url: shared, unsigned: true, push: true }]\n";
      const { work, commands } = await trial(["app", "slow"], shared);
      mkdirSync(work.path("tool"));
      writeFileSync(work.path("tool/main"), "echo first\n");
      const manifest = work.path("container_definitions/amd64/sim/spack.yaml");
      const develop = "  develop:\n    tool:\n      spec: tool@0.9\n      path: ../../../tool\n";
      writeFileSync(manifest, `${readFileSync(manifest, "utf8")}${develop}`);
      /** What of the folder is in an image. */
      const inside = (root: string): string => {
        const software = work.path(root, "opt/software");
        const files = readdirSync(software, { recursive: true, encoding: "utf8" });
        const path = files.find((file) => file.endsWith("/bin/tool")) ?? "";
        return readFileSync(join(software, path), "utf8").split("\n")[2] ?? "";
      };
      const build = async (): Promise<string> => {
        const built = await work.run(["-q", "build", "sim", "--output", "rootfs:root", "--force"]);
        expect(built.status, built.stderr).toBe(0);
        return inside("root");
      };
      expect(await build()).toBe("echo first");
      commands();
      expect(await build()).toBe("echo first");
      expect(commands()).toEqual([]);

      writeFileSync(work.path("tool/main"), "echo second\n");
      const plan = await work.run(["-q", "plan", "sim"]);
      expect(plan.stdout).toContain("2 packages to build");
      const events = jsonLines(await work.run(["--json", "build", "sim"]));
      expect(events.flatMap(({ type, message }) => (type === "warning" ? [message] : []))).toEqual([
        expect.stringMatching(/^tool@0\.9\/\w{7} is built again, because .*\/tool\/main is newer$/),
        expect.stringMatching(/^app@2\.0\/\w{7} is built again, because tool@0\.9\/\w{7} is newer$/),
      ]);
      expect(events.at(-1)).toMatchObject({ type: "result", upToDate: false });
      expect(installsIn(work, commands())).toEqual(["tool", "app"]);
      expect(await build()).toBe("echo second");
      expect(commands()).toEqual([]);

      // Others get it, too: another machine that only reads the cache.
      const elsewhere = { env: { XDG_CACHE_HOME: work.path("elsewhere") } };
      const args = ["-q", "build", "sim", "--no-compile", "--output", "rootfs:other"];
      expect(await work.run(args, elsewhere)).toMatchObject({ status: 0, stderr: "" });
      expect(inside("other")).toBe("echo second");
    });

    it("does not build where that is not allowed", async () => {
      const { work, commands } = await trial(["app"]);
      const refused = await work.run(["-q", "build", "sim", "--no-compile"]);
      expect(refused).toMatchObject({ status: 3, stdout: "" });
      expect(refused.stderr).toContain("no build cache is configured");
      writeFileSync(work.path("spacktainers.yaml"), "base: { scratch: true }\n");
      expect((await work.run(["-q", "build", "sim"])).status).toBe(3);
      expect(commands()).toEqual([]);
    });

    it("tells with the line of the definition that Spack finds no solution", async () => {
      const { work } = await trial(["zlib", "app@9"]);
      const failed = await work.run(["-q", "build", "sim"]);
      expect(failed.status).toBe(3);
      expect(failed.stderr).toMatch(
        /spack\.yaml:4:5 {2}error {2}NO_SOLUTION {2}Spack finds no solution: Cannot satisfy 'app@9'\n {2}hint: app@9 requested explicitly/,
      );
      expect(existsSync(work.path("container_definitions/amd64/sim/spack.lock"))).toBe(false);
    });
  },
);

/** The lock of other specs, as the same stand-in makes it. */
async function lockOfSame(donor: Trial, spec: string): Promise<string> {
  define(donor.work, "other", [spec]);
  await donor.work.run(["-q", "build", "other", "--only-dependencies"]);
  return readFileSync(donor.work.path("container_definitions/amd64/other/spack.lock"), "utf8");
}
