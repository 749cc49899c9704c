/** Building with real Spack, where SPACKTAINERS_TEST_SPACK names one (docs/building.md): minutes, most of them Spack's. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { mountVariables, pathWithApptainer } from "../support/apptainer.ts";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { realSpack } from "../support/realSpack.ts";
import { onCluster, slurmTrouble, startSlurm } from "../support/slurm.ts";

const { checkout, packages, wheels, sources } = realSpack ?? {};
const usable = [checkout, packages, wheels, sources].every((path) => path !== undefined && existsSync(path));
/** Longest that a step with real Spack may take, in milliseconds. */
const patience = 40 * 60_000;

let place: Workplace | undefined;
let toBuild: readonly string[] = [];
afterAll(() => place?.remove());

const trustFolders = (work: Workplace): readonly string[] => {
  const home = work.path("cache-home/spacktainers/spack");
  const names = existsSync(home) ? readdirSync(home) : [];
  return names.filter((name) => name.startsWith("t-")).map((name) => join(home, name));
};
/** Packages in the build cache of what was built. */
const published = (work: Workplace): readonly string[] =>
  trustFolders(work).flatMap((folder) => {
    const specs = join(folder, "built1/v3/manifests/spec");
    return existsSync(specs) ? readdirSync(specs) : [];
  });
/** Forgets what was built, but neither Spack nor what builds took. */
const forget = (work: Workplace): void => {
  for (const folder of trustFolders(work)) rmSync(folder, { recursive: true });
  rmSync(work.path("dist"), { recursive: true, force: true });
};
const hashesOf = (work: Workplace): readonly string[] => {
  const lock = JSON.parse(readFileSync(work.path(definition, "spack.lock"), "utf8")) as {
    concrete_specs: object;
  };
  return Object.keys(lock.concrete_specs).sort();
};

/** The builder image that a variable names: see docs/building.md. */
const builder = process.env.SPACKTAINERS_TEST_BUILDER;
const noSlurm = slurmTrouble();

const definition = "container_definitions/amd64/tools";
/** SHA-256 of the source of tree 2.1.0. */
const treeSource = "0160c535bff2b0dc6a830b9944e981e3427380f63e748da96ced7071faebabf6";
const nameOf = (label: unknown): string => String(label).split("@")[0] ?? "";

describe.skipIf(!usable)(
  "with real Spack (skipped without SPACKTAINERS_TEST_SPACK, see docs/building.md)",
  () => {
    it(
      "builds from an empty cache, is killed, goes on, and makes an image whose packages real Spack takes",
      async () => {
        place = makeWorkplace(`spack:
  url: ${checkout}
  repos: [{ url: ${packages}, path: repos/spack_repo/builtin }]
  wheels: ${wheels}
  mirrors: [${sources}]
  externals: [gmake, diffutils]
base: { scratch: true }
linkage: { allow-unresolved: ["*"] }
`);
        const work = place;
        mkdirSync(work.path(definition), { recursive: true });
        writeFileSync(
          work.path(definition, "spack.yaml"),
          "spack:\n  specs: [tree@2.1.0, bzip2@1.0.8 ~debug]\n",
        );

        const locked = jsonLines(await work.run(["--json", "lock", "tools"])).at(-1);
        toBuild = [locked?.toBuild].flat().map(nameOf).sort();
        expect(toBuild).toEqual(["bzip2", "compiler-wrapper", "gcc-runtime", "tree"]);
        const lock = JSON.parse(readFileSync(work.path(definition, "spack.lock"), "utf8")) as {
          spack: { version: string };
          concrete_specs: Record<string, { name: string; arch: { target: string }; external?: object }>;
        };
        expect(lock.spack.version).toBe("1.1.0");
        for (const { arch } of Object.values(lock.concrete_specs)) expect(arch.target).toBe("x86_64_v3");

        // Killed as soon as the first package is in the cache.
        const child = work.start(["build", "tools"]);
        await expect
          .poll(() => published(work).length, { timeout: patience, interval: 200 })
          .toBeGreaterThan(0);
        const over = once(child, "exit");
        child.kill("SIGKILL");
        await over;
        const before = published(work);

        const events = jsonLines(await work.run(["--json", "build", "tools"]));
        const result = events.at(-1);
        expect(result).toMatchObject({ type: "result", upToDate: false });
        const built = (result?.compiled as { packages: string[] } | undefined)?.packages.map(nameOf) ?? [];
        // What was being published when it was killed may be in neither list.
        expect(built.filter((name) => before.includes(name))).toEqual([]);
        expect([...published(work)].sort()).toEqual(toBuild);
        expect(events.some(({ type, phase }) => type === "task-phase" && phase === "install")).toBe(true);

        // The image has what runs, at its place, and no compiler wrapper.
        expect((await work.run(["-q", "build", "tools", "--output", "rootfs:root"])).status).toBe(0);
        const files = readdirSync(work.path("root/opt/software"), { recursive: true, encoding: "utf8" });
        expect(files.some((file) => /\/tree-2\.1\.0-\w{32}\/bin\/tree$/.test(file))).toBe(true);
        expect(files.some((file) => file.includes("compiler-wrapper"))).toBe(false);

        // Real Spack finds what was built where it was put.
        const found = await work.run([
          "-q",
          "spack",
          "--container",
          "tools",
          "--",
          "find",
          "--format",
          "{name}",
        ]);
        expect(
          found.stdout
            .split("\n")
            .filter((line) => toBuild.includes(line))
            .sort(),
        ).toEqual(toBuild);
        const index = await work.run(["-q", "spack", "--container", "tools", "--", "config", "get", "repos"]);
        expect(index.stdout).toContain("builtin");
      },
      patience,
    );

    it.skipIf(noSlurm !== undefined)(
      `builds as jobs of Slurm, is killed, and goes on with them${noSlurm === undefined ? "" : ` (skipped: ${noSlurm})`}`,
      async () => {
        if (place === undefined) throw new Error("the first test made no place");
        const work = place;
        forget(work);
        const cluster = await startSlurm();
        try {
          const env = cluster.environment;
          const args = ["build", "tools", "--executor", "slurm"];
          const plan = await work.run(["-q", "plan", "tools", "--executor", "slurm"], { env });
          expect(plan.stdout).toMatch(
            /4 packages to build, about .*\n +by +slurm, one job per package\n +memory +at most .*\n +longest +\S+ → /,
          );
          const child = work.start(args, { env });
          await expect
            .poll(() => published(work).length, { timeout: patience, interval: 200 })
            .toBeGreaterThan(0);
          const over = once(child, "exit");
          child.kill("SIGKILL");
          await over;
          const events = jsonLines(await work.run(["--json", ...args], { env }));
          expect(events.at(-1)).toMatchObject({ type: "result", upToDate: false });
          expect([...published(work)].sort()).toEqual(toBuild);
          // Each was one job, in all.
          const jobs = (await onCluster(cluster, ["squeue", "-h", "-t", "all", "-o", "%j %T"])).stdout;
          expect(
            jobs
              .trim()
              .split("\n")
              .map((line) => line.replace(/@.* /, " "))
              .sort(),
          ).toEqual(toBuild.map((name) => `${name} COMPLETED`));
        } finally {
          cluster.stop();
        }
      },
      patience,
    );

    it.skipIf(builder === undefined)(
      "chooses and builds in a builder image, is killed, and goes on (skipped without SPACKTAINERS_TEST_BUILDER)",
      async () => {
        if (place === undefined || builder === undefined) throw new Error("the first test made no place");
        const work = place;
        forget(work);
        const before = hashesOf(work);
        rmSync(work.path(definition, "spack.lock"));
        const env = { PATH: pathWithApptainer, ...mountVariables() };
        const args = ["build", "tools", "--builder", builder];
        const child = work.start(args, { env });
        await expect
          .poll(() => published(work).length, { timeout: patience, interval: 200 })
          .toBeGreaterThan(0);
        const over = once(child, "exit");
        child.kill("SIGKILL");
        await over;
        const earlier = published(work);
        const built = await work.run(["--json", ...args], { env });
        const events = jsonLines(built);
        const result = events.at(-1);
        expect(result, built.stdout.slice(-3000)).toMatchObject({ type: "result", upToDate: false });
        expect([...published(work)].sort()).toEqual(toBuild);
        const again = (result?.compiled as { packages: string[] } | undefined)?.packages.map(nameOf) ?? [];
        expect(again.filter((name) => earlier.includes(name))).toEqual([]);
        // An image of this machine's own distribution has the same compilers: then the hashes are the same.
        if (process.env.SPACKTAINERS_TEST_BUILDER_SAME === "1") expect(hashesOf(work)).toEqual(before);
      },
      patience,
    );

    it(
      "builds a package of `develop:` again when a file of its folder has changed",
      async () => {
        if (place === undefined) throw new Error("the first test made no place");
        const work = place;
        const definitionOf = "container_definitions/amd64/developed";
        for (const folder of ["tree", definitionOf]) mkdirSync(work.path(folder), { recursive: true });
        const source = join(
          sources ?? "",
          "_source-cache/archive",
          treeSource.slice(0, 2),
          `${treeSource}.tgz`,
        );
        const unpack = ["-xzf", source, "-C", work.path("tree"), "--strip-components=1"];
        execFileSync("tar", unpack, { timeout: 60_000 });
        writeFileSync(
          work.path(definitionOf, "spack.yaml"),
          "spack:\n  specs: [tree@2.1.0]\n  develop:\n    tree: { spec: tree@2.1.0, path: ../../../tree }\n",
        );
        const build = async (): Promise<readonly string[]> => {
          const built = await work.run(["--json", "build", "developed"]);
          const result = jsonLines(built).at(-1);
          expect(result, built.stdout.slice(-3000)).toMatchObject({ type: "result" });
          return (result?.compiled as { packages: string[] } | undefined)?.packages.map(nameOf) ?? [];
        };
        expect(await build()).toContain("tree");
        // What the build itself writes there is no change.
        expect(await build()).toEqual([]);
        const file = work.path("tree/tree.c");
        writeFileSync(file, readFileSync(file, "utf8").replace("tree v2.1.0 %s", "tree v2.1.0-mine %s"));
        expect(await build()).toEqual(["tree"]);
        await work.run(["-q", "build", "developed", "--output", "rootfs:developed-root"]);
        const found = readdirSync(work.path("developed-root/opt/software"), {
          recursive: true,
          encoding: "utf8",
        }).find((path) => path.endsWith("/bin/tree"));
        const program = readFileSync(work.path("developed-root/opt/software", found ?? ""), "latin1");
        expect(program).toContain("tree v2.1.0-mine");
        expect(await build()).toEqual([]);
      },
      patience,
    );

    it(
      "gives the line of the definition that Spack finds no solution for",
      async () => {
        if (place === undefined) throw new Error("the first test made no place");
        const work = place;
        mkdirSync(work.path("container_definitions/amd64/wrong"), { recursive: true });
        writeFileSync(
          work.path("container_definitions/amd64/wrong/spack.yaml"),
          "spack:\n  specs:\n  - tree\n  - bzip2@99\n",
        );
        const failed = await work.run(["-q", "lock", "wrong"]);
        expect(failed.status).toBe(3);
        expect(failed.stderr).toMatch(/wrong\/spack\.yaml:4:5 {2}error {2}NO_SOLUTION {2}.*bzip2@99/);
      },
      patience,
    );
  },
);
