import { expect, it } from "vitest";
import type { CachedPackage } from "../../../src/buildcache/types.ts";
import { archiveSizes } from "../../../src/pipeline/plan/archiveSizes.ts";
import { makeSpec } from "../../view/makeSpec.ts";

it("has the sizes that a cache knows, by hash", async () => {
  const [zlib, ring] = [makeSpec("zlib"), makeSpec("ring")];
  const packages = [zlib, ring].map((spec) => ({ spec }) as CachedPackage);
  const archiveSize = async ({ spec }: CachedPackage) => (spec.name === "zlib" ? 12 : undefined);
  expect(await archiveSizes(packages, { archiveSize })).toEqual(new Map([[zlib.hash, 12]]));
});
