import { expect, it } from "vitest";
import type { CacheSet } from "../../../src/buildcache/cacheSet.ts";
import type { CachedPackage } from "../../../src/buildcache/types.ts";
import { checkPrefixesFit } from "../../../src/pipeline/plan/checkPrefixesFit.ts";
import { makeSpec } from "../../view/makeSpec.ts";

const [zlib, ring] = [makeSpec("zlib"), makeSpec("ring")];
const packages = [zlib, ring].map((spec) => ({ spec }) as CachedPackage);

/** Checks prefixes `/sw/NAME` of packages that were built in other prefixes. */
function check(old: Readonly<Record<string, string | undefined>>): Promise<void> {
  const archivePrefix = async ({ spec }: CachedPackage) => old[spec.name];
  const prefixes = new Map([zlib, ring].map(({ hash, name }) => [hash, `/sw/${name}`]));
  return checkPrefixesFit(packages, prefixes, "/sw", { archivePrefix } as CacheSet);
}

it("accepts prefixes that are no longer than the old, and archives that do not tell", async () => {
  await check({ zlib: "/sw/zlib", ring: undefined });
});

it("names the packages whose new prefix is longer", async () => {
  await expect(check({ zlib: "/a", ring: "/long/enough/ring" })).rejects.toMatchObject({
    code: "PREFIX_TOO_LONG",
    message: expect.stringContaining(`zlib/${zlib.hash.slice(0, 7)} (8 bytes for 2)`),
  });
});
