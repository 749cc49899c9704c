import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { debrisIn, digestOfBuild, expectRefusal, type Refusal } from "../support/cliChecks.ts";
import { corpusPath, hasCorpusCaches } from "../support/corpusCaches.ts";

const build = ["build", "tool", "--output", "oci:image"];
const places: Workplace[] = [];
afterAll(() => {
  for (const place of places) place.remove();
});

/** What the environment needs, and a package that lies beside it. */
const wanted = /-(bzip2-1\.0\.8-v6chp4|gcc-runtime-12\.2\.0-|lz4-1\.9\.4-)/;

/** Copies the part of the corpus's cache that the environment needs. */
function copyCache(to: string): void {
  rmSync(to, { recursive: true, force: true });
  const from = join(corpusPath, "v2/build_cache");
  mkdirSync(join(to, "build_cache"), { recursive: true });
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !(wanted.test(entry.name) || entry.name.startsWith("index.json"))) continue;
    const path = join(entry.parentPath, entry.name).slice(from.length + 1);
    mkdirSync(join(to, "build_cache", path, ".."), { recursive: true });
    // Not a copy: what is in the corpus cannot be written to.
    writeFileSync(join(to, "build_cache", path), readFileSync(join(from, path)));
  }
}

/** The path of the one file of the cache whose name has this in it. */
function find(work: Workplace, part: RegExp): string {
  const found = readdirSync(work.path("cache"), { recursive: true, encoding: "utf8" }).filter((path) =>
    part.test(path),
  );
  expect(found).toHaveLength(1);
  return work.path("cache", found[0] ?? "");
}

const metadata = /bzip2-.*\.spec\.json\.sig$/;
const archive = /bzip2-.*\.spack$/;

interface Fault {
  readonly name: string;
  readonly refusal: Refusal;
  make(work: Workplace): void;
}

const faults: readonly Fault[] = [
  {
    name: "a signature that does not fit",
    refusal: { code: "SIGNATURE_INVALID", status: 5, says: "bzip2" },
    make(work) {
      const path = find(work, metadata);
      const text = readFileSync(path, "utf8");
      writeFileSync(
        path,
        text.replace('"name": "bzip2"', '"name": "bzip3"').replace('"name":"bzip2"', '"name":"bzip3"'),
      );
      expect(readFileSync(path, "utf8")).not.toBe(text);
    },
  },
  {
    name: "metadata without a signature",
    refusal: { code: "SIGNATURE_MISSING", status: 5, says: "bzip2" },
    make(work) {
      const path = find(work, metadata);
      const text = readFileSync(path, "utf8");
      writeFileSync(path.replace(/\.sig$/, ""), text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1));
      rmSync(path);
    },
  },
  {
    name: "another package's metadata under its name",
    refusal: { code: "IDENTITY_MISMATCH", status: 5, says: /lz4.*bzip2/ },
    make: (work) => cpSync(find(work, /lz4-.*\.spec\.json\.sig$/), find(work, metadata)),
  },
  {
    name: "a flipped bit in an archive",
    refusal: { code: "CHECKSUM_MISMATCH", status: 5, says: "bzip2" },
    make(work) {
      const path = find(work, archive);
      const bytes = readFileSync(path);
      bytes[100_000] = (bytes[100_000] ?? 0) ^ 4;
      writeFileSync(path, bytes);
    },
  },
  {
    name: "a truncated archive",
    refusal: { code: "CHECKSUM_MISMATCH", status: 5, says: "bzip2" },
    make: (work) => truncateSync(find(work, archive), 100_000),
  },
  {
    name: "an archive with something behind it",
    refusal: { code: "CHECKSUM_MISMATCH", status: 5, says: "bzip2" },
    make: (work) => appendFileSync(find(work, archive), "more"),
  },
  {
    name: "another package's archive",
    refusal: { code: "CHECKSUM_MISMATCH", status: 5, says: "bzip2" },
    make: (work) => cpSync(find(work, /lz4-.*\.spack$/), find(work, archive)),
  },
  {
    name: "an archive that is gone",
    refusal: { code: "NOT_FOUND", status: 4, says: "bzip2" },
    make: (work) => rmSync(find(work, archive)),
  },
  {
    name: "an index that names other dependencies",
    refusal: { code: "IDENTITY_MISMATCH", status: 5, says: "bzip2" },
    make(work) {
      const path = find(work, /build_cache\/index\.json$/);
      const index = JSON.parse(readFileSync(path, "utf8"));
      for (const { spec } of Object.values<{ spec: { name: string; dependencies: { name: string }[] } }>(
        index.database.installs,
      ))
        if (spec.name === "bzip2")
          spec.dependencies = spec.dependencies.filter(({ name }) => name !== "gcc-runtime");
      writeFileSync(path, JSON.stringify(index));
    },
  },
  {
    name: "an index that is cut off",
    refusal: { code: "CACHE_INVALID", status: 4, says: "index.json" },
    make: (work) => truncateSync(find(work, /build_cache\/index\.json$/), 20_000),
  },
];

describe.skipIf(!hasCorpusCaches)(
  "a build from a cache in layout v2 with a fault in it (skipped without ../shared/corpus)",
  () => {
    const key = join(corpusPath, "cache.pub");
    const configuration = `caches:\n- {url: cache, trust: ${JSON.stringify(key)}}\nbase: {scratch: true}\nlinkage: {allow-unresolved: ["*"]}\n`;
    let digest: string;

    function repository(): Workplace {
      const work = makeWorkplace(configuration);
      places.push(work);
      mkdirSync(work.path("container_definitions/amd64"), { recursive: true });
      const definition = "spack:\n  specs: [bzip2@1.0.8]\n";
      writeFileSync(work.path("container_definitions/amd64/tool.yaml"), definition);
      copyCache(work.path("cache"));
      return work;
    }

    beforeAll(async () => {
      digest = digestOfBuild(await repository().run([...build, "--json"]));
    });

    it.each(faults)("says what is wrong with $name, and recovers", async ({ make, refusal }) => {
      const work = repository();
      make(work);
      expectRefusal(await work.run([...build, "--quiet"]), refusal);
      expect(existsSync(work.path("image"))).toBe(false);
      copyCache(work.path("cache"));
      expect(digestOfBuild(await work.run([...build, "--json"]))).toBe(digest);
      expect(debrisIn(work.directory)).toEqual([]);
    });
  },
);
