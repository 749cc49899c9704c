import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchesGlob } from "../../src/util/matchesGlob.ts";

describe("matchesGlob", () => {
  it.each([
    ["usr/share/man/man1/ls.1.gz", "usr/share/man/*", true],
    ["usr/share/man", "usr/share/man/*", false],
    ["usr/lib/a.so", "*.so", true],
    ["usr/lib/a.so.1", "*.so", false],
    ["axxbyyc", "a**b*c", true],
    ["neurodamus", "n*o*m?s", true],
    ["neurodamus", "n*x*", false],
    ["", "", true],
    ["", "*", true],
    ["abc", "a.c", false],
    ["a*b", "a*b", true],
  ])("%j against %j: %s", (text, glob, answer) => expect(matchesGlob(text, glob)).toBe(answer));

  it.each([
    ["amd64/one", "*", false],
    ["amd64/one", "*/one", true],
    ["amd64/one", "amd64?one", false],
    ["one", "*", true],
  ])("%j against %j, slashes apart: %s", (text, glob, answer) =>
    expect(matchesGlob(text, glob, "/")).toBe(answer),
  );

  it("agrees with a regular expression, with and without a barrier", () => {
    const glob = fc.string({ unit: fc.constantFrom("a", "b", "/", "*", "?"), maxLength: 8 });
    const text = fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 8 });
    const property = fc.property(glob, text, fc.constantFrom(undefined, "/"), (pattern, subject, barrier) => {
      const any = barrier === undefined ? "." : "[^/]";
      const source = pattern.replaceAll("?", any).replaceAll("*", `${any}*`);
      expect(matchesGlob(subject, pattern, barrier)).toBe(new RegExp(`^(?:${source})$`, "s").test(subject));
    });
    fc.assert(property, { numRuns: 2000 });
  });

  it("is quick on what makes others slow", () => {
    for (const barrier of [undefined, "/"])
      expect(matchesGlob("a".repeat(5000), `${"*a".repeat(50)}b`, barrier)).toBe(false);
  });
});
