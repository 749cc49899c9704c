import { describe, expect, it } from "vitest";
import type { Dialect } from "../../src/spec/abstract.ts";
import {
  anyVersion,
  compareVersions,
  exactVersion,
  formatVersionSet,
  isAnyVersion,
  parseVersion,
  parseVersionSet,
  versionsIntersect,
  versionsIntersection,
  versionsSatisfy,
  versionsUnion,
} from "../../src/spec/versions.ts";

const dialects: readonly Dialect[] = ["0.x", "1.x"];
const set = (text: string, dialect: Dialect = "1.x") => parseVersionSet(text, dialect);

describe("the order of versions", () => {
  const ascending = [
    [
      "1.2-alpha",
      "1.2-beta",
      "1.2-rc",
      "1.2-rc1",
      "1.2-rc2",
      "1.2",
      "1.2a",
      "1.2-p1",
      "1.2.0",
      "1.2.develop",
      "1.3",
    ],
    ["9", "10", "stable", "trunk", "head", "master", "main", "develop"],
    ["A", "Z", "a", "b", "1"],
    ["1.99999999999999999998", "1.99999999999999999999", "1.100000000000000000000"],
  ];
  it.each(ascending)("%s comes first", (...list: string[]) => {
    for (const dialect of dialects)
      for (let i = 0; i + 1 < list.length; i++) {
        const [left, right] = [list[i] ?? "", list[i + 1] ?? ""].map((text) => parseVersion(text, dialect));
        if (left === undefined || right === undefined) throw new Error("no versions");
        expect(compareVersions(left, right), `${list[i]} < ${list[i + 1]}`).toBeLessThan(0);
        expect(compareVersions(right, left)).toBeGreaterThan(0);
      }
  });

  it("ignores separators and leading zeros", () => {
    for (const [a, b] of [
      ["1-2", "1.2"],
      ["1.02", "1.2"],
      ["1_2rc1", "1.2-rc1"],
    ] as const)
      expect(compareVersions(parseVersion(a, "1.x"), parseVersion(b, "1.x"))).toBe(0);
  });

  it("knows nightly in 1.x only", () => {
    const compare = (dialect: Dialect) =>
      compareVersions(parseVersion("nightly", dialect), parseVersion("1.0", dialect));
    expect(compare("1.x")).toBeGreaterThan(0);
    expect(compare("0.x")).toBeLessThan(0);
  });
});

describe("membership", () => {
  const versions = ["1.2", "1.2.3", "1.20", "1.2-rc1", "1.3-rc1", "1.2a", "develop", "git.x=1.2"];
  // From the reference; checked with both Spack releases.
  const table = [
    ["1.2", "y y n n y y n y"],
    [":1.2", "y y n y y y n y"],
    ["1.2:", "y y y n y y y y"],
    ["=1.2", "y n n n n n n n"],
  ] as const;
  it.each(table)("of @%s", (constraint, answers) => {
    for (const dialect of dialects) {
      const got = versions.map((version) =>
        versionsSatisfy(parseVersion(version, dialect), set(constraint, dialect)) ? "y" : "n",
      );
      expect(got.join(" ")).toBe(answers);
    }
  });

  it("has develop but not master in @main:", () => {
    expect(versionsSatisfy(parseVersion("develop", "1.x"), set("main:"))).toBe(true);
    expect(versionsSatisfy(parseVersion("master", "1.x"), set("main:"))).toBe(false);
  });

  it("compares git versions by reference when they stand for nothing", () => {
    const branch = parseVersion("git.branch", "1.x");
    expect(versionsSatisfy(branch, set("git.branch"))).toBe(true);
    expect(versionsSatisfy(branch, set("git.other"))).toBe(false);
    expect(versionsSatisfy(branch, set("1:"))).toBe(false);
  });
});

describe("sets", () => {
  it.each([
    ["1.2,1.3:1.5", "1.2:1.5"],
    ["=1.2,1.2:", "1.2:"],
    ["1.4:,1.2", "1.2,1.4:"],
    ["1.2:1.2", "1.2"],
    [":", ":"],
    [":1.2-rc1", ":1.2-rc1"],
    ["1.2:1.1", "1.2:1.1"],
    ["git.main=1.2", "git.main=1.2"],
    [" 1.2 , 1.4 ", "1.2,1.4"],
    ["develop:", "develop:"],
    [":z", ":z"],
  ])("%s prints as %s", (text, printed) => {
    expect(formatVersionSet(set(text))).toBe(printed);
  });

  it("intersects and joins", () => {
    expect(formatVersionSet(versionsIntersection(set("1:3"), set("2:5")))).toBe("2:3");
    expect(formatVersionSet(versionsIntersection(set("1:3,5"), set("=2.1,5.0:")))).toBe("=2.1,5.0:5");
    expect(versionsIntersection(set("1"), set("2")).items).toEqual([]);
    expect(versionsIntersect(set("1:2"), set("2.5"))).toBe(true);
    expect(versionsIntersect(set("=2"), set("=2.5"))).toBe(false);
    expect(formatVersionSet(versionsUnion(set("1:2"), set("3:4")))).toBe("1:4");
    expect(versionsSatisfy(set("1.2:1.3"), set("1:2"))).toBe(true);
    expect(versionsSatisfy(set("1:2"), set("1.2:1.3"))).toBe(false);
  });

  it("recognises everything and single versions", () => {
    expect(isAnyVersion(set(":"))).toBe(true);
    expect(isAnyVersion(anyVersion("0.x"))).toBe(true);
    expect(isAnyVersion(set("1:"))).toBe(false);
    expect(exactVersion(set("=1.2"))?.text).toBe("1.2");
    expect(exactVersion(set("1.2"))).toBeUndefined();
  });

  it("prints the end of a range that had final in it as each generation does", () => {
    expect(formatVersionSet(set("1:5-final7", "0.x"))).toBe("1:5-");
    expect(formatVersionSet(set("1:5-final7", "1.x"))).toBe("1:5-7");
    expect(formatVersionSet(set("1:5-rc7", "0.x"))).toBe("1:5-rc7");
  });

  it.each(["git.main,1.2", "1.2:,git.main", `1.2,${"a1".repeat(20)}`])(
    "refuses %s, which cannot be sorted",
    (text) => {
      expect(() => set(text)).toThrowError(/it is not known which version .* is, so it cannot be in a list/);
    },
  );

  it("sorts git versions that stand for a version", () => {
    expect(formatVersionSet(set("1.4,git.main=1.2"))).toBe("git.main=1.2,1.4");
  });

  it.each(["1.3:1.1", "1:2:3", "=1.2:", "1.2/3", "git.x=1=2"])("refuses %s", (text) => {
    expect(() => set(text)).toThrowError(expect.objectContaining({ code: "VERSION_SYNTAX" }));
  });
});
