import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { editIndex, listedPackages } from "../../../src/buildcache/index/editIndex.ts";
import { readSpecDocument } from "../../../src/buildcache/specDocument.ts";
import { type DagHash, parseDagHash } from "../../../src/spec/concrete.ts";
import { syntheticHash } from "../../support/syntheticIndex.ts";
import { nodeOf, testPackage } from "../../support/testCache.ts";

const folder = mkdtempSync(join(tmpdir(), "spacktainers-index-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hashOf = (number: number): DagHash => {
  const hash = parseDagHash(syntheticHash(number));
  if (hash === undefined) throw new Error("no hash");
  return hash;
};
/** What a package needs is decided by its number alone: others with smaller ones. */
const needsOf = (number: number): readonly number[] =>
  [...new Set([number >> 1, number - 3])].filter((other) => other > 0 && other < number);
const closureOf = (number: number): ReadonlySet<number> =>
  new Set([number, ...needsOf(number).flatMap((other) => [...closureOf(other)])]);

function documentOf(number: number) {
  const nodes = [...closureOf(number)].map((one) => {
    const { hash, ...rest } = nodeOf(testPackage(`part${one}`, one), 5);
    const dependencies = needsOf(one).map((other) => ({
      name: `part${other}`,
      hash: hashOf(other),
      parameters: { deptypes: ["link"], virtuals: [] },
    }));
    return { ...rest, ...(dependencies.length === 0 ? {} : { dependencies }), hash };
  });
  return readSpecDocument(JSON.stringify({ spec: { _meta: { version: 5 }, nodes } }, undefined, 2), {});
}

type Installs = Record<
  string,
  { readonly spec: { readonly hash: string }; readonly ref_count: number; readonly in_buildcache: boolean }
>;
let files = 0;
async function edit(source: string | undefined, add: readonly number[], remove: readonly number[]) {
  const target = join(folder, `${files++}.json`);
  const change = {
    add: add.map(documentOf),
    remove: new Set(remove.map(hashOf)),
    databaseVersion: 8,
  };
  const edited = await editIndex(source, target, change, { file: "index" });
  const { database } = JSON.parse(readFileSync(target, "utf8"));
  expect(database.version).toBe("8");
  return { target, edited, installs: database.installs as Installs };
}

describe("editIndex", () => {
  it("lists what was added and not removed, with all that it needs, whatever came in which order", async () => {
    const numbers = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(numbers, numbers), { maxLength: 5 }), async (steps) => {
        let source: string | undefined;
        const there = new Set<number>();
        for (const [add, remove] of steps) {
          const before = new Set(there);
          const { target, edited, installs } = await edit(source, add, remove);
          for (const one of add) there.add(one);
          const added = there.size - before.size;
          const gone = new Set(remove.filter((one) => there.has(one)));
          for (const one of gone) there.delete(one);
          expect(edited).toEqual({ packages: there.size, added, removed: gone.size });
          const downloadable = Object.entries(installs).filter(([, record]) => record.in_buildcache);
          expect(downloadable.map(([hash]) => hash).sort()).toEqual([...there].map(hashOf).sort());
          for (const one of there)
            for (const needed of closureOf(one))
              expect(installs[hashOf(needed)]?.spec.hash).toBe(hashOf(needed));
          const { listed, version } = await listedPackages(target, {});
          expect(version).toBe(8);
          expect(new Set(listed.keys())).toEqual(new Set([...there].map(hashOf)));
          source = target;
        }
        // What nobody needs any more is gone, once something was removed.
        const { installs } = await edit(source, [], [...there]);
        if (there.size > 0) expect(Object.keys(installs)).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });

  it("counts who needs a package, as Spack does", async () => {
    const { installs } = await edit(undefined, [6], []);
    // 6 needs 3, and 3 needs 1.
    expect([6, 3, 1].map((one) => installs[hashOf(one)]?.ref_count)).toEqual([0, 1, 1]);
  });

  it("keeps the nodes that are there as they are, to the last byte", async () => {
    const first = await edit(undefined, [6, 7], []);
    const text = readFileSync(first.target, "utf8");
    const odd = text.replace('"namespace":"builtin"', '"namespace":"b\\u00fcltin", "unknown": 1.0');
    writeFileSync(first.target, odd);
    const { target } = await edit(first.target, [9], []);
    expect(readFileSync(target, "utf8")).toContain('"namespace":"b\\u00fcltin", "unknown": 1.0');
  });

  it("refuses what is no index, and one of another generation", async () => {
    const path = join(folder, "wrong.json");
    for (const [text, code] of [
      ["[]", "CACHE_INVALID"],
      ['{"database":{"version":"8","installs":{"a":', "CACHE_INVALID"],
      [readFileSync((await edit(undefined, [1], [])).target, "utf8").replace('"8"', '"7"'), "NOT_SUPPORTED"],
    ] as const) {
      writeFileSync(path, text);
      await expect(edit(path, [2], [])).rejects.toMatchObject({ code });
    }
  });
});
