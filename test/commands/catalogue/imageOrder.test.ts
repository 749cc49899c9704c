import { describe, expect, it } from "vitest";
import type { CatalogueImage } from "../../../src/catalogue/facts.ts";
import type { GatheredImage } from "../../../src/commands/catalogue/imageFacts.ts";
import { chainVersions, newestImageFirst } from "../../../src/commands/catalogue/imageOrder.ts";
import type { readLockListing } from "../../../src/pipeline/describe/packageListing.ts";
import type { ConcreteSpec } from "../../../src/spec/concrete.ts";
import { makeSpec } from "../../concretize/specs.ts";
import { syntheticFacts } from "../../support/syntheticFacts.ts";

const [container] = (await syntheticFacts({ containers: 1, packages: 5, recipes: 20 })).containers;
const sample = container?.images[0];
if (sample === undefined) throw new Error("no image");

type Listing = Awaited<ReturnType<typeof readLockListing>>;

function gathered(more: Partial<CatalogueImage>, packages: readonly ConcreteSpec[] = []): GatheredImage {
  const listing: Listing = {
    label: more.version ?? "",
    origin: "image",
    roots: [],
    graph: new Map(packages.map((spec) => [spec.hash, spec])),
    packages,
    externals: [],
    sizes: new Map(),
    sizesOf: "layers",
    basePackages: undefined,
    imageSize: undefined,
    layers: [],
  };
  return {
    image: { ...sample, ...more } as CatalogueImage,
    listing,
    description: undefined,
    source: undefined,
  };
}

describe("newestImageFirst", () => {
  const order = (...images: readonly Partial<CatalogueImage>[]): readonly string[] =>
    newestImageFirst(images.map((one) => ({ gathered: gathered(one) }))).map(
      ({ gathered: { image } }) => `${image.version} ${image.tags.join(",")}`,
    );

  it("goes by Spack's order of versions", () => {
    const images = ["1.9", "1.10", "2.0-rc1", "develop", "1.10.1"].map((version) => ({ version, tags: [] }));
    expect(order(...images)).toEqual(["develop ", "2.0-rc1 ", "1.10.1 ", "1.10 ", "1.9 "]);
  });

  it("takes what `latest` stands for as the newest of one version, then the last change", () => {
    expect(
      order(
        { version: "1", tags: ["old"], updated: "2026-01-01T00:00:00Z" },
        { version: "1", tags: ["1", "latest"], updated: "2025-01-01T00:00:00Z" },
        { version: "1", tags: ["older"], updated: undefined },
      ),
    ).toEqual(["1 1,latest", "1 old", "1 older"]);
  });
});

describe("chainVersions", () => {
  it("says what came, went and changed, and why", () => {
    const zlibs = [makeSpec("zlib@1.2"), makeSpec("zlib@1.3")] as const;
    const old = [makeSpec("app@1.0", { link: [zlibs[0]] }), zlibs[0], makeSpec("gone@1")];
    const fresh = [makeSpec("app@1.0", { link: [zlibs[1]] }), zlibs[1], makeSpec("come@2")];
    const [first, second] = chainVersions([
      gathered({ version: "2" }, fresh),
      gathered({ version: "1", changes: undefined }, old),
    ]);
    expect(second?.image.changes).toBeUndefined();
    expect(first?.image.changes).toEqual({
      since: "1",
      base: undefined,
      unchanged: 0,
      packages: [
        { name: "app", before: "1.0", after: "1.0", why: expect.stringContaining("zlib") },
        { name: "come", before: undefined, after: "2", why: undefined },
        { name: "gone", before: "1", after: undefined, why: undefined },
        { name: "zlib", before: "1.2", after: "1.3", why: undefined },
      ],
    });
  });
});
