import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lineDiff } from "../../src/ci/lineDiff.ts";

describe("lineDiff", () => {
  it("shows what differs with what is around it", () => {
    expect(lineDiff("a\nb\nc\nd\ne\nf", "a\nb\nx\nd\ne\nf", 1)).toEqual(["@@ 2 @@", " b", "-c", "+x", " d"]);
    expect(lineDiff("a", "a")).toEqual([]);
    expect(lineDiff("1\n2\n3\n4\n5\n6\n7\n8", "0\n2\n3\n4\n5\n6\n7\n9", 1)).toEqual([
      "@@ 1 @@",
      "-1",
      "+0",
      " 2",
      "@@ 7 @@",
      " 7",
      "-8",
      "+9",
    ]);
  });

  it("tells where long texts differ without comparing all of them", () => {
    const long = Array.from({ length: 6000 }, (_, index) => `line ${index}`).join("\n");
    expect(lineDiff(long, long.replace("line 17\n", "other\n"))).toEqual(["@@ 18 @@", "-line 17", "+other"]);
  });

  it("has all lines of both texts when everything is shown", () => {
    const text = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 12 }).map((lines) => lines.join("\n"));
    fc.assert(
      fc.property(text, text, (before, after) => {
        if (before === after) return;
        const lines = lineDiff(before, after, 100).slice(1);
        const only = (signs: string) =>
          lines
            .filter((line) => signs.includes(line[0] ?? ""))
            .map((line) => line.slice(1))
            .join("\n");
        expect(only(" -")).toBe(before);
        expect(only(" +")).toBe(after);
      }),
    );
  });
});
