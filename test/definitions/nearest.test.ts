import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { didYouMean, editDistance, nearestNames } from "../../src/definitions/nearest.ts";

describe("editDistance", () => {
  it("counts insertions, deletions, substitutions and swaps", () => {
    expect(editDistance("cache", "caches")).toBe(1);
    expect(editDistance("trust", "turst")).toBe(1);
    expect(editDistance("base", "bass")).toBe(1);
    expect(editDistance("", "abc")).toBe(3);
  });

  it("is symmetric, zero only for equal texts, and never more than the longer length", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        const distance = editDistance(a, b);
        expect(distance).toBe(editDistance(b, a));
        expect(distance === 0).toBe(a === b);
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });

  it("gives up beyond a limit", () => {
    expect(editDistance("aaaaaaaa", "bbbbbbbb", 2)).toBe(3);
  });
});

describe("nearestNames", () => {
  it("finds misspellings and parts of names, nearest first", () => {
    expect(nearestNames("zlb", ["zlib", "zstd", "lz4"])).toEqual(["zlib"]);
    expect(nearestNames("neocortex", ["neurodamus-neocortex", "brayns"])).toEqual(["neurodamus-neocortex"]);
    expect(nearestNames("Bas", ["base", "registries"])).toEqual(["base"]);
  });

  it("finds nothing for what resembles nothing", () => {
    expect(nearestNames("xyzzy", ["zlib", "hdf5"])).toEqual([]);
    expect(didYouMean("xyzzy", ["zlib", "hdf5"])).toBeUndefined();
  });

  it("finds short names of which two letters differ, and misspelled parts of names", () => {
    expect(nearestNames("pimpy", ["pympi", "brayns"])).toEqual(["pympi"]);
    expect(nearestNames("pmypi", ["pympi"])).toEqual(["pympi"]);
    expect(nearestNames("ring", ["zlib", "pmix"])).toEqual([]);
    expect(nearestNames("hipocampus", ["neurodamus-hippocampus", "neurodamus-neocortex"])).toEqual([
      "neurodamus-hippocampus",
    ]);
  });

  it("names each once", () => {
    expect(didYouMean("hellompi", ["hello-mpi", "hello-mpi"])).toBe("did you mean `hello-mpi`?");
  });

  it("makes a sentence", () => {
    expect(didYouMean("cachs", ["caches"])).toBe("did you mean `caches`?");
    expect(didYouMean("hdf", ["hdf5", "hdf4"])).toBe("did you mean `hdf4` or `hdf5`?");
  });
});
