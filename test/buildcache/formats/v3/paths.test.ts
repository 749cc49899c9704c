import { expect, it } from "vitest";
import { blobPath, manifestPath } from "../../../../src/buildcache/formats/v3/paths.ts";
import { type DagHash, parseDagHash } from "../../../../src/spec/concrete.ts";
import { digestOfHex } from "../../../../src/util/digest.ts";

const hash: DagHash = parseDagHash("a".repeat(32)) ?? ("" as DagHash);

it("names manifests as Spack does, and replaces what is not allowed in names", () => {
  const folder = "v3/manifests/spec/zlib";
  expect(manifestPath({ name: "zlib", version: "1.3.1", hash })).toBe(
    `${folder}/zlib-1.3.1-${hash}.spec.manifest.json`,
  );
  expect(manifestPath({ name: "zlib", version: "git.foo/bar=1.2", hash })).toBe(
    `${folder}/zlib-git.foo_bar_1.2-${hash}.spec.manifest.json`,
  );
});

it("keeps blobs by digest, beside the layout's folder", () => {
  expect(blobPath(digestOfHex(`ab${"0".repeat(62)}`))).toBe(`blobs/sha256/ab/ab${"0".repeat(62)}`);
});
