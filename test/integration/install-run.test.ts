import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unpackEntries } from "../../src/archive/unpackEntries.ts";
import { installPackage } from "../../src/install/installPackage.ts";
import { corpusRequests, hasCorpus, recordings } from "../support/corpusInstall.ts";

/** The corpus was built for x86-64 with glibc 2.36. */
function canRun(): boolean {
  if (process.arch !== "x64" || process.platform !== "linux") return false;
  const version = /(\d+)\.(\d+)$/.exec(
    spawnSync("getconf", ["GNU_LIBC_VERSION"], { encoding: "utf8" }).stdout?.trim(),
  );
  return version !== null && Number(version[1]) === 2 && Number(version[2]) >= 36;
}

for (const recording of recordings) {
  describe.skipIf(!hasCorpus || !canRun())(
    `running what was installed from ${recording.folder}, stripped (skipped without ../shared/corpus or glibc 2.36)`,
    () => {
      let root: string;
      const prefixes = new Map<string, string>();
      beforeAll(async () => {
        root = await mkdtemp(join(tmpdir(), "run-"));
        const options = { strip: true, sbang: "undo", metadata: false } as const;
        for (const request of corpusRequests(recording, options, root)) {
          await unpackEntries("/", installPackage(request).entries);
          prefixes.set(request.name, request.prefixes[request.hash] ?? "");
        }
      });
      afterAll(() => rm(root, { recursive: true, force: true }));

      const run = (name: string, program: string, ...args: string[]): string =>
        execFileSync(`${prefixes.get(name)}/bin/${program}`, args, {
          encoding: "utf8",
          env: {
            PATH: `${prefixes.get("mpich")}/bin:/usr/bin:/bin`,
            HOME: root,
            PYTHONPATH: `${prefixes.get("py-ring")}/lib/python3.11/site-packages`,
          },
          timeout: 60_000,
        });

      it("passes a token around the ranks of an MPI program", () => {
        const output = run("mpich", "mpiexec", "-n", "2", `${prefixes.get("ring")}/bin/ring`);
        expect(output).toMatch(/rank|ring/i);
        expect(run("ring", "ring-report")).not.toBe("");
      });

      it("has compiler wrappers that know where they are now", () => {
        expect(run("mpich", "mpichversion")).toContain("4.0.2");
        expect(run("mpich", "mpicc", "-show")).toContain(`${prefixes.get("mpich")}/lib`);
      });

      if (recording.layout === 2)
        it("runs Python with its extension modules, and programs written in it", async () => {
          const script = join(root, "modules.py");
          const modules = ["ssl", "sqlite3", "bz2", "lzma", "zlib", "ctypes", "uuid", "hashlib", "json"];
          await writeFile(
            script,
            `import ${modules.join(", ")}\nprint(sqlite3.sqlite_version, zlib.ZLIB_VERSION)\n`,
          );
          expect(run("python", "python3", script)).toBe("3.40.1 1.2.13\n");
          // The compiled files of the standard library are used as they are.
          const trace = spawnSync(`${prefixes.get("python")}/bin/python3`, ["-v", script], {
            encoding: "utf8",
          });
          expect(trace.stderr).toContain("matches");
          expect(trace.stderr).not.toMatch(/bytecode is stale|wrote '/);
          expect(run("py-ring", "pyring")).not.toBe("");
        });

      if (recording.layout === 2)
        it("runs HDF5's programs", () => {
          expect(run("hdf5", "h5dump", "--version")).toContain("1.10.8");
        });
    },
  );
}
