import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { readCleartextMessage, readKeys, verify } from "openpgp";
import { describe, expect, it } from "vitest";
import { contentOf } from "../../src/archive/content.ts";
import { readTar } from "../../src/archive/readTar.ts";

const demo = resolve(import.meta.dirname, "../../demo");
const cache = join(demo, "cache");
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());

interface BlobRecord {
  readonly mediaType: string;
  readonly checksum: string;
  readonly contentLength: number;
}
const recordsOf = (json: string): readonly BlobRecord[] => (JSON.parse(json) as { data: BlobRecord[] }).data;
const blobPath = (record: BlobRecord): string =>
  join(cache, "blobs/sha256", record.checksum.slice(0, 2), record.checksum);

/** The keys of the demonstration: a block each. */
async function demoKeys() {
  const blocks = readFileSync(join(demo, "cache.pub"), "utf8").split(/(?=-----BEGIN)/);
  return (await Promise.all(blocks.map((armoredKeys) => readKeys({ armoredKeys })))).flat();
}

async function signedManifests(): Promise<{ path: string; records: readonly BlobRecord[] }[]> {
  const verificationKeys = await demoKeys();
  const paths = filesBelow(join(cache, "v3/manifests/spec"));
  return Promise.all(
    paths.map(async (path) => {
      const message = await readCleartextMessage({ cleartextMessage: readFileSync(path, "utf8") });
      const { data, signatures } = await verify({ message, verificationKeys });
      await signatures[0]?.verified;
      expect(signatures.length).toBe(1);
      return { path, records: recordsOf(data) };
    }),
  );
}

describe("the demo's build cache", () => {
  it("is signed by the demo's keys, whose fingerprints the page names", async () => {
    const manifests = await signedManifests();
    expect(manifests.map(({ path }) => path.split("/").at(-2)).sort()).toEqual([
      // For amd64 and for arm64.
      ...["gcc-runtime", "gcc-runtime"],
      ...["mpich", "mpich"],
      ...["ring", "ring"],
    ]);
    const page = readFileSync(resolve(demo, "../docs/demo.md"), "utf8");
    const keys = await demoKeys();
    expect(keys.length).toBe(2);
    for (const key of keys) expect(page).toContain(key.getFingerprint().toUpperCase());
  });

  it("has every blob its manifests name, as they say, and no other", async () => {
    const signed = (await signedManifests()).flatMap(({ records }) => records);
    const plain = ["index", "key"]
      .flatMap((kind) => filesBelow(join(cache, "v3/manifests", kind)))
      .flatMap((path) => recordsOf(readFileSync(path, "utf8")));
    const records = [...signed, ...plain];
    for (const record of records) {
      const bytes = readFileSync(blobPath(record));
      expect(bytes.length).toBe(record.contentLength);
      expect(sha256(bytes)).toBe(record.checksum);
    }
    expect(filesBelow(join(cache, "blobs")).sort()).toEqual([...new Set(records.map(blobPath))].sort());
    expect(filesBelow(cache).reduce((sum, path) => sum + statSync(path).size, 0)).toBeLessThan(5_500_000);
  });

  it("has no recipes, logs or environments of the build in its archives", async () => {
    for (const { path, records } of await signedManifests()) {
      const archive = records.find((record) => record.mediaType.includes("install"));
      if (archive === undefined) throw new Error(`${path} names no archive`);
      const names: string[] = [];
      const tar = contentOf(gunzipSync(readFileSync(blobPath(archive))));
      for await (const entry of readTar(tar, { where: { file: path } })) names.push(entry.path);
      const metadata = names
        .filter((name) => name.includes("/.spack/"))
        .map((name) => name.split("/.spack/")[1]);
      expect(metadata.sort()).toEqual(["binary_distribution", "spec.json"]);
    }
  });

  it("was made from the sources that lie beside it", () => {
    const recipe = join(demo, "recipes/spack_repo/spacktainers_demo/packages/ring/package.py");
    expect(readFileSync(recipe, "utf8")).toContain(sha256(readFileSync(join(demo, "ring/ring.c"))));
    const secrets = filesBelow(demo).filter((path) => readFileSync(path).includes("PRIVATE KEY BLOCK"));
    expect(secrets).toEqual([]);
  });
});
