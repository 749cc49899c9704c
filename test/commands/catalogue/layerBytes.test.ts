import fc from "fast-check";
import { expect, it } from "vitest";
import { shareBytes } from "../../../src/commands/catalogue/layerBytes.ts";

it("shares bytes in proportion, and all of them", () => {
  expect(shareBytes(100, [1, 1, 2])).toEqual([25, 25, 50]);
  expect(shareBytes(10, [1, 1, 1])).toEqual([3, 4, 3]);
  expect(shareBytes(10, [])).toEqual([]);
  expect(shareBytes(10, [0, 0])).toEqual([0, 0]);
  fc.assert(
    fc.property(
      fc.nat(),
      fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1 }),
      (bytes, weights) => {
        const shares = shareBytes(bytes, weights);
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(bytes);
        expect(Math.min(...shares)).toBeGreaterThanOrEqual(0);
      },
    ),
  );
});
