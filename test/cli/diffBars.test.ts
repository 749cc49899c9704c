import { describe, expect, it } from "vitest";
import { diffBars } from "../../src/cli/diffBars.ts";
import type { DiffedPackage, PackageDifferences } from "../../src/commands/explain/packageDifferences.ts";
import { parseDagHash } from "../../src/spec/concrete.ts";

const canvas = { columns: 61, color: false };
const hash = parseDagHash("a".repeat(32));
if (hash === undefined) throw new Error("no hash");
const one = (name: string, size: number | undefined, version = "1.0"): DiffedPackage => ({
  name,
  version,
  hash,
  size,
});
const differences = (over: Partial<PackageDifferences>): PackageDifferences => ({
  before: "a",
  after: "b",
  added: [],
  removed: [],
  changed: [],
  unchanged: 0,
  base: undefined,
  sizesOf: "layers",
  imageSizes: undefined,
  layerSizes: undefined,
  ...over,
});

describe("the bars of a difference", () => {
  it("show by how much layers and packages grew or shrank, the largest first", () => {
    const drawn = diffBars(
      differences({
        added: [one("new", 1_000_000), one("unknown", undefined)],
        removed: [one("old", 4_000_000)],
        changed: [
          {
            before: one("zlib", 500_000),
            after: one("zlib", 2_500_000, "1.3"),
            differences: [],
            cause: undefined,
          },
          { before: one("same", 10), after: one("same", 10), differences: [], cause: undefined },
        ],
        layerSizes: [
          { role: "base", before: 30_000_000, after: 30_000_000 },
          { role: "packages", before: 9_000_000, after: 8_000_000 },
          { role: "top", before: 100, after: 200 },
        ],
      }),
      canvas,
    );
    expect(drawn?.split("\n")).toEqual([
      "LAYERS  █ more  ░ less",
      `packages              -1.0 MB  ${"░".repeat(29)}`,
      "view and environment   +100 B  █",
      "PACKAGES  █ more  ░ less  of layers  1 of unknown size",
      `old@1.0         -4.0 MB  ${"░".repeat(35)}`,
      `zlib 1.0 → 1.3  +2.0 MB  ${"█".repeat(18)}`,
      `new@1.0         +1.0 MB  ${"█".repeat(9)}`,
    ]);
  });

  it("sum up what is beyond 20 packages", () => {
    const added = Array.from({ length: 25 }, (_, at) => one(`p${at}`, 1000 - at));
    const lines = diffBars(differences({ added, sizesOf: "archives" }), canvas)?.split("\n") ?? [];
    expect(lines).toHaveLength(22);
    expect(lines.at(-1)).toMatch(/^5 more packages +\+4\.9 kB/);
  });

  it("are not there where nothing differs in size, or no size is known", () => {
    expect(diffBars(differences({}), canvas)).toBeUndefined();
    expect(diffBars(differences({ added: [one("a", undefined)] }), canvas)).toBeUndefined();
  });
});
