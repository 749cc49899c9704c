import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { installFragment } from "../../src/install/installFragment.ts";
import { type InstallPool, openInstallPool } from "../../src/install/installPool.ts";
import type { InstallRequest, LayerFragment } from "../../src/install/types.ts";
import { digestOf } from "../../src/util/digest.ts";
import type { WorkEvent } from "../../src/util/events.ts";
import { corpusRequests, hasCorpus, recordings } from "../support/corpusInstall.ts";

const isBuilt = existsSync(resolve(import.meta.dirname, "../../dist/install/installWorker.js"));
const options = { strip: true, sbang: "undo", metadata: false } as const;
const root = "/opt/software";

describe.skipIf(!hasCorpus || !isBuilt)(
  "the install pool (skipped without ../shared/corpus or dist/)",
  () => {
    let folder: string;
    let pool: InstallPool | undefined;
    const small = (count: number): InstallRequest[] =>
      corpusRequests(recordings[0], options, root)
        .filter(({ name }) => ["ring", "py-ring", "zlib", "lz4", "xz", "bzip2", "python-venv"].includes(name))
        .slice(0, count);

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "install-pool-"));
    });
    afterEach(async () => {
      await pool?.close();
      pool = undefined;
      await rm(folder, { recursive: true });
    });

    const installAll = async (threads: number): Promise<Map<string, LayerFragment>> => {
      const ours = openInstallPool({ threads });
      try {
        const fragments = await Promise.all(
          corpusRequests(recordings[1], options, root).map((request) =>
            ours.run({ request, path: join(folder, `${threads}-${request.hash}`) }),
          ),
        );
        return new Map(fragments.map((fragment) => [fragment.path.slice(-32), fragment]));
      } finally {
        await ours.close();
      }
    };

    it("makes the same bytes with any number of threads", async () => {
      const [one, three] = [await installAll(1), await installAll(3)];
      expect(one.size).toBe(8);
      for (const [hash, { path, ...facts }] of one) {
        const { path: otherPath, ...otherFacts } = three.get(hash) ?? { path: "" };
        expect(otherFacts).toEqual(facts);
        const bytes = await readFile(path);
        expect(bytes.equals(await readFile(otherPath))).toBe(true);
        expect(digestOf(bytes)).toBe(facts.digest);
      }
    });

    it("makes what installing in this thread makes", async () => {
      const [request] = small(1);
      if (request === undefined) throw new Error("no request");
      pool = openInstallPool({ threads: 2 });
      const { path: _a, ...there } = await pool.run({ request, path: join(folder, "there") });
      const { path: _b, ...here } = await installFragment(request, join(folder, "here"));
      expect(there).toEqual(here);
    });

    it("reports its progress", async () => {
      const events: WorkEvent[] = [];
      pool = openInstallPool({ threads: 2 });
      const [request] = small(1);
      if (request === undefined) throw new Error("no request");
      await pool.run({ request, path: join(folder, "x") }, { emit: (event) => events.push(event) });
      const size = (await readFile(request.archivePath)).length;
      const id = `install:${request.hash}`;
      const label = `${request.name}@${request.version}`;
      expect(events[0]).toEqual({ type: "task-start", id, kind: "install", label, bytes: size });
      expect(events.at(-1)).toEqual({ type: "task-end", id, outcome: "done", bytes: size });
    });

    it("gives a worker's error as it was, and goes on with the others", async () => {
      const [broken, ...others] = small(4);
      if (broken === undefined) throw new Error("no request");
      const bytes = await readFile(broken.archivePath);
      const archivePath = join(folder, "broken.spack");
      await writeFile(archivePath, bytes.subarray(0, bytes.length - 100));
      const ours = openInstallPool({ threads: 1 });
      pool = ours;
      const [first, ...rest] = await Promise.allSettled(
        [{ ...broken, archivePath }, ...others].map((request) =>
          ours.run({ request, path: join(folder, `out-${request.hash}`) }),
        ),
      );
      expect(rest.map((result) => result.status)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
      expect(first).toMatchObject({
        status: "rejected",
        reason: {
          name: "SpacktainersError",
          code: "ARCHIVE_INVALID",
          place: { spec: `${broken.name}@${broken.version}/${broken.hash.slice(0, 7)}` },
        },
      });
      expect((await readdir(folder)).filter((name) => name.startsWith(".tmp"))).toEqual([]);
    });

    it("stops when asked to, and leaves nothing behind", async () => {
      const stop = new AbortController();
      const ours = openInstallPool({ threads: 2 });
      pool = ours;
      const all = corpusRequests(recordings[0], options, root).map((request) =>
        ours.run({ request, path: join(folder, request.hash) }, { signal: stop.signal }),
      );
      const results = Promise.allSettled(all);
      setTimeout(() => stop.abort(), 400);
      const failures = (await results).filter((result) => result.status === "rejected");
      expect(failures.length).toBeGreaterThan(0);
      for (const { reason } of failures) expect(reason).toMatchObject({ code: "INTERRUPTED" });
      expect((await readdir(folder)).filter((name) => name.startsWith(".tmp"))).toEqual([]);
    });
  },
);
