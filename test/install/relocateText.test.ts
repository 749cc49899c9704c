import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makePrefixSearch } from "../../src/install/prefixSearch.ts";
import { relocateText } from "../../src/install/relocateText.ts";

type Pairs = readonly (readonly [string, string])[];

function search(pairs: Pairs) {
  return makePrefixSearch(pairs.map(([from, to]) => ({ from: Buffer.from(from), to: Buffer.from(to) })));
}

function relocate(text: string, pairs: Pairs): string {
  return relocateText(Buffer.from(text, "latin1"), search(pairs)).toString("latin1");
}

/** The rule as Spack states it: one regular expression over bytes. */
function reference(text: string, pairs: Pairs): string {
  const prefixes = pairs.map(([from]) => from.replaceAll(/[.*+?^${}()|[\]\\/#-]/g, "\\$&")).join("|");
  const rule = new RegExp(`(?<![\\w\\-/])([\\w\\-]*?)(${prefixes})([\\w\\-/]*)`, "g");
  const news = new Map(pairs);
  return text.replaceAll(rule, (_, before, prefix, after) => `${before}${news.get(prefix)}${after}`);
}

describe("relocateText", () => {
  const zlib: Pairs = [["/pad/zlib", "/n"]];
  const table: [string, string][] = [
    ["/pad/zlib/lib", "/n/lib"],
    ["-L/pad/zlib/lib", "-L/n/lib"],
    ["x/pad/zlib", "x/n"],
    ["foo-/pad/zlib", "foo-/n"],
    ["'/pad/zlib'", "'/n'"],
    [".:/pad/zlib", ".:/n"],
    ["-I/pad/zlib-ng", "-I/n-ng"],
    ["//pad/zlib", "//pad/zlib"],
    ["file:///pad/zlib", "file:///pad/zlib"],
    ["/x/pad/zlib", "/x/pad/zlib"],
    ["/a.b/pad/zlib", "/a.b/n"],
    ["/pad/zlib/lib/pad/zlib", "/n/lib/pad/zlib"],
    ["/pad/zlib:/pad/zlib", "/n:/n"],
    ["/pad/zlib./pad/zlib", "/n./n"],
    ["/pad/zli", "/pad/zli"],
    ["", ""],
    ["\xff/pad/zlib\xe9", "\xff/n\xe9"],
  ];
  for (const [before, after] of table) {
    it(`${JSON.stringify(before)} becomes ${JSON.stringify(after)}`, () => {
      expect(relocate(before, zlib)).toBe(after);
      expect(reference(before, zlib)).toBe(after);
    });
  }

  it("gives back the same buffer when nothing changes", () => {
    const data = Buffer.from("nothing /here/pad/zlib");
    expect(relocateText(data, search(zlib))).toBe(data);
    expect(relocateText(data, search([]))).toBe(data);
  });

  it("takes the first prefix in order that stands at a place", () => {
    const pairs: Pairs = [
      ["/root/sub", "/x"],
      ["/root", "/y"],
    ];
    expect(relocate("/root/sub/a /root/other /root", pairs)).toBe("/x/a /y/other /y");
    expect(relocate("/root/sub/a", [...pairs].reverse())).toBe("/y/sub/a");
  });

  it("replaces the line of very old sbang scripts", () => {
    const pairs: Pairs = [["#!/bin/bash /old/spack/bin/sbang", "#!/bin/sh /new/bin/sbang"]];
    expect(relocate("#!/bin/bash /old/spack/bin/sbang\n#!/x\n", pairs)).toBe(
      "#!/bin/sh /new/bin/sbang\n#!/x\n",
    );
  });

  it("agrees with the rule as a regular expression", () => {
    const piece = fc.constantFrom(
      "/a",
      "/a/b",
      "/a/b/c",
      "/ab",
      "/",
      "//",
      "x",
      "-",
      "_",
      ".",
      ":",
      " ",
      "\n",
      "\xe9",
      "#!",
    );
    const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));
    const pairs = fc.uniqueArray(
      fc.tuple(
        fc.constantFrom("/a", "/a/b", "/ab", "/a/b/c", "/b.x", "#!/a /b"),
        fc.constantFrom("", "/n", "/a", "/long/new", "x"),
      ),
      { minLength: 1, maxLength: 5, selector: ([from]) => from },
    );
    fc.assert(
      fc.property(text, pairs, (text, pairs) => {
        expect(relocate(text, pairs)).toBe(reference(text, pairs));
      }),
      { numRuns: 5000 },
    );
  });

  it("takes no time over texts made to be slow", () => {
    const text = "a".repeat(200_000) + "/pad/zlib".repeat(20_000) + "/pad/zli".repeat(20_000);
    // Quadratic, it would take longer than a test may.
    expect(relocate(text, zlib)).not.toBe(text);
  });
});
