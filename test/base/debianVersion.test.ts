import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareDebianVersions, versionSatisfies } from "../../src/base/debian/debianVersion.ts";

/** From old to new. Equal ones are in one list. */
const ordered: readonly (readonly string[])[] = [
  ["0~~", "0~~-0"],
  ["0~~a"],
  ["0~"],
  ["0", "00", "0:0", "0-0"],
  ["0a"],
  ["0+"],
  ["1.0~beta1~svn1245"],
  ["1.0~beta1"],
  ["1.0", "1.00", "01.0"],
  ["1.0-1"],
  ["1.0-1+b1"],
  ["1.0-1.1"],
  ["1.0-1.10"],
  ["1.0a"],
  ["1.0+dfsg"],
  ["1.0.1"],
  ["1.10"],
  ["2.36-9+deb12u9"],
  ["2.36-9+deb12u10"],
  ["123456789012345678901234567890"],
  ["123456789012345678901234567891"],
  ["1:0"],
  ["2:0~"],
];

describe("compareDebianVersions", () => {
  test("orders versions as Debian's policy does", () => {
    for (const [i, older] of ordered.entries()) {
      for (const [j, newer] of ordered.entries()) {
        for (const a of older)
          for (const b of newer)
            expect(Math.sign(compareDebianVersions(a, b)), `${a} ${b}`).toBe(Math.sign(i - j));
      }
    }
  });

  const version = fc.string({
    unit: fc.constantFrom("0", "1", "9", "a", "z", "~", "+", ".", "-"),
    maxLength: 8,
  });

  test("is an order", () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(Math.sign(compareDebianVersions(a, b))).toBe(-Math.sign(compareDebianVersions(b, a)) + 0);
        if (compareDebianVersions(a, b) <= 0 && compareDebianVersions(b, c) <= 0)
          expect(compareDebianVersions(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 2000 },
    );
  });

  test("decides relations", () => {
    expect(versionSatisfies("2", ">>", "1")).toBe(true);
    expect(versionSatisfies("1", ">>", "1")).toBe(false);
    expect(versionSatisfies("1", ">=", "1")).toBe(true);
    expect(versionSatisfies("1", "=", "1-0")).toBe(true);
    expect(versionSatisfies("1", "<=", "0.9")).toBe(false);
    expect(versionSatisfies("1~", "<<", "1")).toBe(true);
  });
});
