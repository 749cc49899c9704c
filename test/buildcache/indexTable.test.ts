import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareHashes, packHash, unpackHash } from "../../src/buildcache/index/hashKey.ts";
import { scanIndex } from "../../src/buildcache/index/indexScanner.ts";
import { buildTable, type IndexTable, readTable } from "../../src/buildcache/index/indexTable.ts";

const place = { url: "https://cache.example/index.json" };
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "spacktainers-index-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const hash = fc
  .array(fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz234567"), { minLength: 32, maxLength: 32 })
  .map((characters) => characters.join(""));

/** Scans a document and gives the table, and the nodes as the table says they lie in the file. */
async function scan(document: string): Promise<{ table: IndexTable; node(hash: string): unknown }> {
  const path = join(directory, "index.json");
  await writeFile(path, document);
  const file = await open(path, "r");
  try {
    const builder = buildTable();
    const databaseVersion = await scanIndex(file, builder, place);
    const table = readTable(builder.finish({ databaseVersion, dataSize: Buffer.byteLength(document) }));
    if (table === undefined) throw new Error("a fresh table cannot be read");
    const bytes = Buffer.from(document);
    return {
      table,
      node(wanted) {
        const spec = table.find(wanted);
        if (spec < 0) return undefined;
        const { offset, length } = table.slice(spec);
        return JSON.parse(bytes.subarray(offset, offset + length).toString("utf8"));
      },
    };
  } finally {
    await file.close();
  }
}

describe("hashes as words", () => {
  it("come back as they were, and sort as text does", () => {
    fc.assert(
      fc.property(hash, hash, (a, b) => {
        const words = new Uint32Array(10);
        expect(packHash(Buffer.from(a), words, 0)).toBe(true);
        expect(packHash(Buffer.from(b), words, 5)).toBe(true);
        expect(unpackHash(words, 0)).toBe(a);
        expect(unpackHash(words, 5)).toBe(b);
        expect(Math.sign(compareHashes(words, 0, words, 5))).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });

  it("are refused when they are none", () => {
    const words = new Uint32Array(5);
    for (const text of ["", "abc", "A".repeat(32), "1".repeat(32), "é".repeat(16), `${"a".repeat(31)}0`])
      expect(packHash(Buffer.from(text), words, 0)).toBe(false);
  });
});

/** JSON written in any of the ways JSON may be written. */
function written(value: unknown, spacing: string): string {
  return JSON.stringify(value, undefined, spacing);
}

const edge = fc.record({
  name: fc.constantFrom("zlib", "mpich", "gcc", 'odd"name'),
  hash,
  parameters: fc.record({
    deptypes: fc.subarray(["build", "link", "run"]),
    virtuals: fc.subarray(["mpi", "c", "zlib-api", "libgfortran@5"]),
  }),
});
const other = fc.jsonValue({ maxDepth: 4 });
const record = fc.record({
  other,
  spec: fc.record({
    parameters: other,
    name: fc.constantFrom("zlib", "hdf5", "py-x", "été"),
    dependencies: fc.array(edge, { maxLength: 4 }),
    text: fc.string(),
  }),
  in_buildcache: fc.boolean(),
});
const index = fc.record({
  before: other,
  records: fc.dictionary(hash, record, { maxKeys: 30 }),
  spacing: fc.constantFrom("", " ", "\t", "\n"),
  versionFirst: fc.boolean(),
});

describe("scanIndex", () => {
  it("finds what JSON.parse finds, in any spelling of the document", async () => {
    await fc.assert(
      fc.asyncProperty(index, async ({ before, records, spacing, versionFirst }) => {
        const database = versionFirst
          ? { version: "8", other: before, installs: records }
          : { installs: records, other: before, version: "8" };
        const { table, node } = await scan(written({ before, database }, spacing));
        expect(table.databaseVersion).toBe(8);
        expect(table.count).toBe(Object.keys(records).length);
        const expectedNames = new Set<string>();
        const providers = new Map<string, Set<string>>();
        for (const [key, { spec, in_buildcache }] of Object.entries(records)) {
          expect(node(key)).toEqual(JSON.parse(JSON.stringify(spec)));
          expect(table.isDownloadable(table.find(key))).toBe(in_buildcache);
          if (in_buildcache) expectedNames.add(spec.name);
          for (const { name, parameters } of spec.dependencies)
            for (const virtual of parameters.virtuals) {
              const plain = virtual.split("@")[0] ?? "";
              providers.set(plain, (providers.get(plain) ?? new Set()).add(name));
            }
        }
        expect(table.names()).toEqual([...expectedNames].sort());
        for (const virtual of ["mpi", "c", "zlib-api", "libgfortran"])
          expect(table.providersOf(virtual)).toEqual([...(providers.get(virtual) ?? [])].sort());
        for (const name of ["zlib", "hdf5", "py-x", "été"]) {
          const expected = Object.entries(records).filter(([, { spec }]) => spec.name === name);
          expect(table.specsOf(name).map((spec) => table.hashAt(spec))).toEqual(
            expected.map(([key]) => key).sort(),
          );
        }
      }),
      { numRuns: 150 },
    );
  });

  it("crosses the borders of its window wherever they fall", async () => {
    const filler = "x".repeat(3000);
    const records = Object.fromEntries(
      Array.from({ length: 4000 }, (_, at) => {
        const key = at.toString(32).padStart(32, "a").replaceAll(/[01]/g, "z").replaceAll(/[89]/g, "y");
        return [key, { spec: { name: `p${at % 7}`, filler: filler.slice(at % 97) }, in_buildcache: true }];
      }),
    );
    const { table, node } = await scan(JSON.stringify({ database: { version: "7", installs: records } }));
    expect(table.count).toBe(Object.keys(records).length);
    for (const [key, { spec }] of Object.entries(records)) expect(node(key)).toEqual(spec);
  });

  it("takes one record larger than its window", async () => {
    const key = "b".repeat(32);
    const spec = { name: "big", text: "y".repeat(9_000_000) };
    const { node } = await scan(
      JSON.stringify({ database: { version: "8", installs: { [key]: { spec, in_buildcache: true } } } }),
    );
    expect(node(key)).toEqual(spec);
  });

  it("takes the later of two records, leaves out keys that are no hashes, ignores what trails", async () => {
    const key = "c".repeat(32);
    const one = (name: string) => `{"spec":{"name":"${name}"},"in_buildcache":true}`;
    const { table, node } = await scan(
      `{"database":{"version":"8","installs":{"${key}":${one("old")},"nonsense":${one("x")},"${key}":${one("new")}}}} trailing`,
    );
    expect(table.count).toBe(1);
    expect(node(key)).toEqual({ name: "new" });
    expect(table.specsOf("new")).toHaveLength(1);
    expect(table.specsOf("old")).toHaveLength(0);
  });

  it("takes provided virtuals of version 6 nodes, before or after the name", async () => {
    const nodes = [
      `{"provided_virtuals":["mpi","libgfortran@5"],"name":"mpich"}`,
      `{"name":"openmpi","provided_virtuals":["mpi"]}`,
    ];
    const records = nodes.map(
      (node, at) => `"${"de"[at]?.repeat(32)}":{"spec":${node},"in_buildcache":true}`,
    );
    const { table } = await scan(`{"database":{"version":"9","installs":{${records.join(",")}}}}`);
    expect(table.providersOf("mpi")).toEqual(["mpich", "openmpi"]);
    expect(table.providersOf("libgfortran")).toEqual(["mpich"]);
  });

  const proper = JSON.stringify({
    database: {
      version: "8",
      installs: { ["a".repeat(32)]: { spec: { name: "zlib", x: [1, { y: "z" }] }, in_buildcache: true } },
    },
  });

  it("notices a file that is cut off, wherever", async () => {
    for (let length = 0; length < proper.length; length++)
      await expect(scan(proper.slice(0, length)), `${length} bytes`).rejects.toMatchObject({
        code: "CACHE_INVALID",
      });
    expect((await scan(proper)).table.count).toBe(1);
  });

  it.each([
    ["nothing", ""],
    ["a list", "[1,2]"],
    ["an error page", "<html><body>Not found</body></html>"],
    ["no database", "{}"],
    ["no packages", '{"database":{"version":"8"}}'],
    ["no version", '{"database":{"installs":{}}}'],
    ["packages as a list", '{"database":{"version":"8","installs":[]}}'],
    ["a version that is none", '{"database":{"version":"eight","installs":{}}}'],
    ["a comma missing", proper.replace('},"in_', '}"in_')],
    ["a record that is no object", '{"database":{"version":"8","installs":{"a":1}}}'],
  ])("refuses %s", async (_, document) => {
    await expect(scan(document)).rejects.toMatchObject({ code: "CACHE_INVALID" });
  });

  it("refuses deep nesting without using the stack", async () => {
    const deep = `${"[".repeat(2_000_000)}${"]".repeat(2_000_000)}`;
    for (const document of [
      `{"x":${deep},"database":{"version":"8","installs":{}}}`,
      `{"database":{"version":"8","installs":{"${"a".repeat(32)}":{"spec":{"name":"x","y":${deep}}}}}}`,
    ])
      await expect(scan(document)).rejects.toMatchObject({
        code: "CACHE_INVALID",
        message: expect.stringContaining("deep"),
      });
  });

  it("never fails in another way, whatever comes", async () => {
    const junk = fc.array(
      fc.constantFrom(
        '{"database":',
        '{"installs":',
        '"version":"8"',
        "{",
        "}",
        "[",
        "]",
        ",",
        '"a"',
        ":",
        "1",
        "\\",
        '"',
      ),
      { maxLength: 25 },
    );
    await fc.assert(
      fc.asyncProperty(junk, async (parts) => {
        await scan(parts.join("")).catch((thrown) => expect(thrown).toMatchObject({ code: "CACHE_INVALID" }));
      }),
    );
  });
});

describe("buildTable", () => {
  it("refuses an absurd number of names", () => {
    const names = buildTable({ url: "https://cache.example" });
    const tell = (): void => {
      for (let at = 0; at < 600_000; at++) names.provides("mpi", `p${at}`);
    };
    expect(tell).toThrow(expect.objectContaining({ code: "CACHE_INVALID" }));
  });
});

describe("readTable", () => {
  it("finds by the beginning of a hash", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(hash, { minLength: 1, maxLength: 40 }),
        fc.nat(),
        fc.integer({ min: 1, max: 32 }),
        async (hashes, pick, length) => {
          const records = Object.fromEntries(hashes.map((key) => [key, { spec: { name: "x" } }]));
          const { table } = await scan(JSON.stringify({ database: { version: "6", installs: records } }));
          const prefix = (hashes[pick % hashes.length] ?? "").slice(0, length);
          const expected = hashes.filter((key) => key.startsWith(prefix)).sort();
          expect(table.withPrefix(prefix).map((spec) => table.hashAt(spec))).toEqual(expected);
          expect(table.withPrefix("0")).toEqual([]);
          expect(table.withPrefix("")).toEqual([]);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("notices damage anywhere", () => {
    const builder = buildTable();
    builder.record(Buffer.from("a".repeat(32)), { offset: 10, bytes: Buffer.from("{}"), name: "zlib" }, true);
    const good = builder.finish({ databaseVersion: 8, dataSize: 100 });
    expect(readTable(good)?.find("a".repeat(32))).toBe(0);
    for (let at = 0; at < good.length; at++) {
      const bad = Uint8Array.from(good);
      bad[at] = (bad[at] ?? 0) ^ 1;
      expect(readTable(bad), `byte ${at}`).toBeUndefined();
      expect(readTable(good.subarray(0, at)), `${at} bytes`).toBeUndefined();
    }
  });
});
