import { describe, expect, it } from "vitest";
import { counted } from "../../src/util/counted.ts";

describe("counted", () => {
  it("has the singular for one thing only", () => {
    expect([0, 1, 2, 1000].map((count) => counted(count, "package"))).toEqual([
      "0 packages",
      "1 package",
      "2 packages",
      "1000 packages",
    ]);
  });

  it("takes a plural of its own", () => {
    expect([counted(1, "entry", "entries"), counted(3, "entry", "entries")]).toEqual([
      "1 entry",
      "3 entries",
    ]);
  });
});
