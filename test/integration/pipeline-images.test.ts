import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CommandResult, debianTrouble, makeWorkplace, type Workplace } from "../support/cli.ts";
import { digestOfBuild, jsonLines } from "../support/cliChecks.ts";
import { corpusPath, hasCorpusCaches } from "../support/corpusCaches.ts";
import { podmanEnvironment, podmanTrouble } from "../support/podman.ts";
import { runs } from "../support/staticServer.ts";

const trouble = hasCorpusCaches ? debianTrouble() : "../shared/corpus is not there";
const podman = podmanTrouble();

type Program = readonly [command: readonly string[], prints: RegExp];

/** Environments of the corpus, and programs in them with what they print. */
const environments: readonly {
  readonly name: string;
  readonly layout: string;
  readonly programs: readonly Program[];
}[] = [
  {
    name: "installed",
    layout: "v2",
    programs: [
      [
        // As few ranks as there can be: they wait busily for each other, so more than the machine has cores take minutes.
        ["mpiexec", "-n", "2", "ring"],
        /^ring 2\.1\.0: 2 ranks, token 1000, .* zlib 1\.2\.13, crc 8fdcf576$/m,
      ],
      [["ring-report"], /^zlib = \/opt\/software\/.*zlib-1\.2\.13-[a-z0-9]{32}$/m],
      [["pyring"], /^pyring 1\.0\.1 \/opt\/view$/m],
      [
        [
          "python3",
          "-c",
          "import bz2, ctypes, curses, hashlib, lzma, sqlite3, ssl, uuid, zlib; print(sqlite3.sqlite_version, zlib.ZLIB_VERSION)",
        ],
        /^3\.40\.1 1\.2\.13$/m,
      ],
      [["mpiexec", "-n", "2", "python3", "-c", "print('hello')"], /^hello\nhello$/m],
      [["h5dump", "--version"], /^h5dump: Version 1\.10\.8$/m],
      [["sqlite3", "--version"], /^3\.40\.1 /m],
      [["lstopo-no-graphics", "--version"], /^lstopo-no-graphics 2\.9\.0$/m],
    ],
  },
  {
    name: "installed-v3",
    layout: "v3",
    programs: [
      [
        ["mpiexec", "-n", "2", "ring"],
        /^ring 2\.1\.0: 2 ranks, token 1000, .* zlib 1\.2\.13, crc 8fdcf576$/m,
      ],
      [["ring-hard"], /^ring 2\.1\.0: 1 ranks/m],
      [["lz4", "--version"], /1\.9\.4/],
      [["mpichversion"], /^MPICH Version:\s+4\.0\.2$/m],
    ],
  },
];

type Package = { readonly name: string; readonly version: string; readonly hash: string };

function packagesOf(result: CommandResult): readonly string[] {
  expect(result.status, result.stdout + result.stderr).toBe(0);
  const packages = jsonLines(result).at(-1)?.packages as readonly Package[];
  return packages.map(({ name, version, hash }) => `${name}@${version}/${hash}`).sort();
}

describe.skipIf(trouble !== undefined)(
  `images of the corpus${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    const work: Workplace = makeWorkplace("base: {debian: bookworm}\n");
    const podmanFolder = work.path("podman");
    const digests = new Map<string, string>();
    const chosen = new Map<string, readonly string[]>();
    const build = (place: Workplace, name: string, layout: string, ...more: string[]) =>
      place.run([
        ...["build", name, "--json", "--cache", join(corpusPath, layout)],
        ...["--trust", join(corpusPath, "cache.pub"), ...more],
      ]);

    /** Definitions with the lock and, by a name of their own, without. */
    function define(place: Workplace): void {
      for (const { name } of environments) {
        for (const [folder, files] of [
          [name, ["spack.yaml", "spack.lock"]],
          [`${name}-free`, ["spack.yaml"]],
        ] as const) {
          mkdirSync(place.path("container_definitions/amd64", folder), { recursive: true });
          for (const file of files)
            cpSync(join(corpusPath, name, file), place.path("container_definitions/amd64", folder, file));
        }
      }
    }

    beforeAll(async () => {
      define(work);
      for (const { name, layout } of environments) {
        const result = await build(work, name, layout);
        digests.set(name, digestOfBuild(result));
        chosen.set(name, packagesOf(result));
      }
    });
    afterAll(() => {
      const env = { ...process.env, ...(podman === undefined ? podmanEnvironment(podmanFolder) : {}) };
      if (podman === undefined) spawnSync("podman", ["rmi", "--all", "--force"], { env });
      spawnSync("umount", [join(podmanFolder, "storage", "overlay")]);
      work.remove();
    });

    it.each(environments)(
      "$name: without its lock, the same packages are chosen from the cache",
      async (one) => {
        const result = await build(work, `${one.name}-free`, one.layout);
        expect(packagesOf(result)).toEqual(chosen.get(one.name));
      },
    );

    it.each(environments)("$name: holds the link/run closure of its lock, nothing else", ({ name }) => {
      const lock = JSON.parse(readFileSync(join(corpusPath, name, "spack.lock"), "utf8"));
      const wanted = new Set<string>();
      const visit = (hash: string): void => {
        const spec = lock.concrete_specs[hash];
        if (spec.external !== undefined || wanted.has(`${spec.name}@${spec.version}/${hash}`)) return;
        wanted.add(`${spec.name}@${spec.version}/${hash}`);
        for (const { hash: below, parameters } of spec.dependencies ?? [])
          if (parameters.deptypes.some((type: string) => type === "link" || type === "run")) visit(below);
      };
      for (const { hash } of lock.roots) visit(hash);
      expect(chosen.get(name)).toEqual([...wanted].sort());
    });

    for (const { name, programs } of environments) {
      it.each(programs)(`${name} in our own runner: %j`, async (command, prints) => {
        const result = await work.run(["run", "--quiet", "--with", "namespace", name, "--", ...command]);
        expect(result.stdout).toMatch(prints);
        expect(result.stderr).toBe("");
        expect(result.status).toBe(0);
      });

      it.skipIf(podman !== undefined).each(programs)(
        `${name} in Podman${podman === undefined ? "" : ` (skipped: ${podman})`}: %j`,
        async (command, prints) => {
          const env = podmanEnvironment(podmanFolder);
          const result = await work.run(["run", "--quiet", "--with", "podman", name, "--", ...command], {
            env,
          });
          expect(result.stdout).toMatch(prints);
          expect(result.status).toBe(0);
        },
      );

      it(`${name}: ldconfig lists libmpi, and every library it lists is there`, async () => {
        const script =
          '/sbin/ldconfig -p; /sbin/ldconfig -p | sed -n "s/.* => //p" | while read f; do test -e "$f" || echo missing "$f"; done';
        const result = await work.run(["run", "-q", "--with", "namespace", name, "--", "bash", "-c", script]);
        expect(result.stdout).toMatch(
          /^\tlibmpi\.so\.12 \(libc6,x86-64\) => \/opt\/view\/lib\/libmpi\.so\.12$/m,
        );
        expect(result.stdout).not.toContain("missing");
      });

      it.skipIf(!runs("skopeo", ["--version"]))(`${name}: skopeo reads and copies it`, () => {
        const layout = work.path("dist/amd64", name);
        const facts = JSON.parse(execFileSync("skopeo", ["inspect", `oci:${layout}`], { encoding: "utf8" }));
        expect(facts).toMatchObject({ Digest: digests.get(name), Architecture: "amd64", Os: "linux" });
        const copy = work.path(`copy-${name}`);
        execFileSync("skopeo", ["copy", "--quiet", `oci:${layout}`, `dir:${copy}`]);
        expect(existsSync(join(copy, "manifest.json"))).toBe(true);
      });

      it.skipIf(!runs("umoci", ["--version"]))(`${name}: umoci unpacks it`, () => {
        const bundle = work.path(`bundle-${name}`);
        const layout = work.path("dist/amd64", name);
        const tags = execFileSync("umoci", ["list", "--layout", layout], { encoding: "utf8" });
        const rootless = process.getuid?.() === 0 ? [] : ["--rootless"];
        execFileSync("umoci", ["unpack", ...rootless, "--image", `${layout}:${tags.trim()}`, bundle], {
          stdio: "ignore",
        });
        expect(existsSync(join(bundle, "rootfs/etc/ld.so.cache"))).toBe(true);
        expect(existsSync(join(bundle, "rootfs/opt/spack-environment/spack.lock"))).toBe(true);
      });
    }

    it.each([1, 3])("gives the same digest with %d at a time, all made anew", async (jobs) => {
      const other = makeWorkplace("base: {debian: bookworm}\n");
      try {
        define(other);
        // The base is the same: it need not be fetched again.
        cpSync(join(work.cacheHome, "spacktainers/base"), join(other.cacheHome, "spacktainers/base"), {
          recursive: true,
        });
        const result = await build(other, "installed-v3", "v3", "--jobs", String(jobs));
        expect(digestOfBuild(result)).toBe(digests.get("installed-v3"));
        expect(jsonLines(result).at(-1)).toMatchObject({ reused: 0, upToDate: false });
      } finally {
        other.remove();
      }
    });

    it.skipIf(podman !== undefined)("podman loads the archives", async () => {
      const env = podmanEnvironment(podmanFolder);
      for (const kind of ["oci-archive", "docker-archive"]) {
        const file = work.path(`${kind}.tar`);
        const result = await build(work, "installed-v3", "v3", "--output", `${kind}:${file}`);
        expect(digestOfBuild(result)).toBe(digests.get("installed-v3"));
        const loaded = spawnSync("podman", ["load", "--quiet", "--input", file], {
          env: { ...process.env, ...env },
          encoding: "utf8",
        });
        expect(loaded.stderr + loaded.stdout).toMatch(/Loaded image/);
        expect(loaded.status).toBe(0);
      }
    });
  },
);
