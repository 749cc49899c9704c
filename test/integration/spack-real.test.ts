/** Building with real Spack, where SPACKTAINERS_TEST_SPACK names one (docs/building.md): minutes, most of them Spack's. */
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { realSpack } from "../support/realSpack.ts";

const { checkout, packages, wheels, sources } = realSpack ?? {};
const usable = [checkout, packages, wheels, sources].every((path) => path !== undefined && existsSync(path));
/** Longest that a step with real Spack may take, in milliseconds. */
const patience = 40 * 60_000;

let place: Workplace | undefined;
afterAll(() => place?.remove());

const definition = "container_definitions/amd64/tools";
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
        const toBuild = [locked?.toBuild].flat().map(nameOf).sort();
        expect(toBuild).toEqual(["bzip2", "compiler-wrapper", "gcc-runtime", "tree"]);
        const lock = JSON.parse(readFileSync(work.path(definition, "spack.lock"), "utf8")) as {
          spack: { version: string };
          concrete_specs: Record<string, { name: string; arch: { target: string }; external?: object }>;
        };
        expect(lock.spack.version).toBe("1.1.0");
        for (const { arch } of Object.values(lock.concrete_specs)) expect(arch.target).toBe("x86_64_v3");

        // Killed as soon as the first package is in the cache.
        const child = work.start(["build", "tools"]);
        const home = work.path("cache-home/spacktainers/spack");
        const published = (): readonly string[] => {
          const trusts = existsSync(home) ? readdirSync(home).filter((name) => name.startsWith("t-")) : [];
          return trusts.flatMap((name) => {
            const specs = join(home, name, "built1/v3/manifests/spec");
            return existsSync(specs) ? readdirSync(specs) : [];
          });
        };
        await expect.poll(() => published().length, { timeout: patience, interval: 200 }).toBeGreaterThan(0);
        const over = once(child, "exit");
        child.kill("SIGKILL");
        await over;
        const before = published();

        const events = jsonLines(await work.run(["--json", "build", "tools"]));
        const result = events.at(-1);
        expect(result).toMatchObject({ type: "result", upToDate: false });
        const built = (result?.compiled as { packages: string[] } | undefined)?.packages.map(nameOf) ?? [];
        expect([...built, ...before].sort()).toEqual(toBuild);
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
