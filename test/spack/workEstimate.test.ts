import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { estimateWork, type Work } from "../../src/spack/workEstimate.ts";
import type { DagHash } from "../../src/spec/concrete.ts";

const work = (text: Record<string, string>): Work =>
  Object.entries(text).map(([hash, after]) => ({
    hash: hash as DagHash,
    after: (after === "" ? [] : after.split(" ")) as DagHash[],
  }));
const times = (known: Record<string, number>) => (hash: DagHash) => known[hash];

describe("estimateWork", () => {
  const diamond = work({ zlib: "", cmake: "", hdf5: "zlib cmake", tool: "zlib", app: "hdf5 tool" });
  const seconds = times({ zlib: 10, cmake: 100, hdf5: 50, tool: 5, app: 1 });

  it("finds the chain that takes longest", () => {
    const estimate = estimateWork(diamond, seconds, 8);
    expect(estimate.criticalPath).toEqual(["cmake", "hdf5", "app"]);
    expect(estimate).toMatchObject({ criticalSeconds: 151, seconds: 151, known: 5 });
    expect(Object.fromEntries(estimate.remaining)).toEqual({
      zlib: 61,
      cmake: 151,
      hdf5: 51,
      tool: 6,
      app: 1,
    });
  });

  it("takes as long as all together with one at a time", () => {
    expect(estimateWork(diamond, seconds, 1).seconds).toBe(166);
    expect(estimateWork(work({ a: "", b: "", c: "" }), () => 10, 2).seconds).toBe(20);
  });

  it("counts what is not known as the average, and says how much is known", () => {
    expect(estimateWork(diamond, times({ zlib: 10, cmake: 30 }), 1)).toMatchObject({
      known: 2,
      seconds: 100,
    });
    expect(estimateWork(diamond, () => undefined, 1)).toMatchObject({
      known: 0,
      criticalSeconds: 90,
    });
    expect(estimateWork([], () => undefined, 4)).toMatchObject({
      seconds: 0,
      criticalPath: [],
      criticalSeconds: 0,
    });
  });

  it("ignores what is done already", () => {
    expect(estimateWork(work({ hdf5: "zlib", app: "hdf5" }), () => 1, 4).seconds).toBe(2);
  });

  it("lies between the longest chain and everything one after the other", () => {
    const works = fc
      .integer({ min: 1, max: 10 })
      .chain((size) =>
        fc.tuple(
          fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 20 }),
          fc.array(fc.integer({ min: 1, max: 100 }), { minLength: size, maxLength: size }),
          fc.integer({ min: 1, max: 4 }),
        ),
      );
    fc.assert(
      fc.property(works, ([edges, lengths, atOnce]) => {
        const each: Work = lengths.map((_, index) => ({
          hash: String(index) as DagHash,
          after: [
            ...new Set(
              edges.flatMap(([to, from]) => (to === index && from < index ? [String(from) as DagHash] : [])),
            ),
          ],
        }));
        const estimate = estimateWork(each, (hash) => lengths[Number(hash)], atOnce);
        const total = lengths.reduce((sum, length) => sum + length, 0);
        expect(estimate.seconds).toBeGreaterThanOrEqual(
          Math.max(estimate.criticalSeconds, total / atOnce) - 1e-9,
        );
        expect(estimate.seconds).toBeLessThanOrEqual(total);
        const path = estimate.criticalPath.map((hash) => lengths[Number(hash)] ?? 0);
        expect(path.reduce((sum, length) => sum + length, 0)).toBe(estimate.criticalSeconds);
      }),
    );
  });
});
