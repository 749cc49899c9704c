import { describe, expect, it } from "vitest";
import { newestRecord, parseCacheManifest } from "../../../../src/buildcache/formats/v3/manifest.ts";

describe("manifests of layout v3", () => {
  const record = (mediaType: string, over = {}) => ({
    contentLength: 5,
    mediaType,
    compression: "gzip",
    checksumAlgorithm: "sha256",
    checksum: "0".repeat(64),
    ...over,
  });
  const read = (document: unknown) => parseCacheManifest(JSON.stringify(document), {});

  it("are read by media type, the highest known version first, whatever else is there", () => {
    const records = read({
      version: 3,
      extra: 1,
      data: [
        record("application/vnd.spack.spec.v5+json"),
        record("application/vnd.spack.spec.v6+json", { more: [] }),
        record("application/vnd.spack.spec.v7+json"),
        record("application/vnd.spack.db.v8+json"),
        record("text/plain"),
      ],
    });
    expect(newestRecord(records, "spec", 3, 6)?.mediaType).toBe("application/vnd.spack.spec.v6+json");
    expect(newestRecord(records, "install", 2, 2)).toBeUndefined();
    expect(newestRecord(records, "db", 6, 9)?.size).toBe(5);
  });

  it.each([
    ["no JSON", "{"],
    ["a list", "[]"],
    ["another version", JSON.stringify({ version: 4, data: [] })],
    ["no data", JSON.stringify({ version: 3 })],
    ["another algorithm", JSON.stringify({ version: 3, data: [record("x", { checksumAlgorithm: "md5" })] })],
    [
      "a path as checksum",
      JSON.stringify({ version: 3, data: [record("x", { checksum: "../../etc/passwd" })] }),
    ],
    ["a negative length", JSON.stringify({ version: 3, data: [record("x", { contentLength: -1 })] })],
    ["no media type", JSON.stringify({ version: 3, data: [record("x", { mediaType: 1 })] })],
    ["another compression", JSON.stringify({ version: 3, data: [record("x", { compression: "xz" })] })],
    [
      "very many entries",
      JSON.stringify({ version: 3, data: Array.from({ length: 2000 }, () => record("x")) }),
    ],
  ])("are refused with %s", (_, text) => {
    expect(() => parseCacheManifest(text, {})).toThrowError(
      expect.objectContaining({ code: "CACHE_INVALID" }),
    );
  });
});
