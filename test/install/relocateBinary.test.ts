import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makePrefixSearch } from "../../src/install/prefixSearch.ts";
import { relocateBinary } from "../../src/install/relocateBinary.ts";

type Pairs = readonly (readonly [string, string])[];

function relocate(text: string, pairs: Pairs): string {
  const data = Buffer.from(text, "latin1");
  relocateBinary(
    data,
    makePrefixSearch(pairs.map(([from, to]) => ({ from: Buffer.from(from), to: Buffer.from(to) }))),
  );
  return data.toString("latin1");
}

/** The rule as Spack states it, on strings; the name of the error where it fails. */
function reference(text: string, pairs: Pairs): string {
  const prefixes = pairs.map(([from]) => from.replaceAll(/[.*+?^${}()|[\]\\/-]/g, "\\$&")).join("|");
  const news = new Map(pairs);
  return text.replaceAll(
    new RegExp(`(${prefixes})([^\\0]{0,7}\\0)?`, "g"),
    (whole, old: string, tail?: string) => {
      const to = news.get(old) ?? "";
      const shorter = old.length - to.length;
      if (shorter < 0) throw new Error("PREFIX_TOO_LONG");
      const shared = 7 - ((tail?.length ?? 1) - 1);
      const padded = `${"/".repeat(shorter)}${to}${tail ?? ""}`;
      if (tail === undefined || shared <= 0 || old.slice(-shared) === to.slice(-shared)) return padded;
      if (shorter > 7) return `${to}${tail}${whole.slice(to.length + tail.length)}`;
      throw new Error("RELOCATION_FAILED");
    },
  );
}

function outcome(action: () => string): string {
  try {
    return action();
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message: string };
    return `failed: ${code ?? message}`;
  }
}

const padded = "/pad/pad/pad/pad/zlib-1.3-abcdefg";

describe("relocateBinary", () => {
  const table: [string, Pairs, string, string][] = [
    [
      "pads with slashes in front where the string goes on",
      [[padded, "/opt/zlib-1.3-abcdefg"]],
      `x${padded}/share/data\0y`,
      "x/////////////opt/zlib-1.3-abcdefg/share/data\0y",
    ],
    [
      "pads where the ends of old and new agree",
      [[padded, "/opt/zlib-1.3-abcdefg"]],
      `${padded}\0`,
      "/////////////opt/zlib-1.3-abcdefg\0",
    ],
    [
      "shortens where they do not, and leaves the old end behind",
      [[padded, "/opt/zlib"]],
      `${padded}\0z`,
      `/opt/zlib\0${padded.slice(10)}\0z`,
    ],
    [
      "moves a short suffix with it",
      [[padded, "/opt/zlib"]],
      `${padded}/lib\0z`,
      `/opt/zlib/lib\0${`${padded}/lib`.slice(14)}\0z`,
    ],
    [
      "pads where the suffix is long",
      [[padded, "/opt/zlib"]],
      `${padded}/long/suffix\0`,
      `${"/".repeat(24)}/opt/zlib/long/suffix\0`,
    ],
    ["pads in lists of paths", [["/pad/zlib", "/o/zlib"]], "a:/pad/zlib-ng/lib:x", "a:///o/zlib-ng/lib:x"],
    [
      "replaces every place",
      [["/pad/zlib", "/o/zlib"]],
      "/pad/zlib/a /pad/zlib/b/c/d/e",
      "///o/zlib/a ///o/zlib/b/c/d/e",
    ],
    ["pads at the end of the file", [["/pad/zlib", "/o/zlab"]], "/pad/zlib", "///o/zlab"],
  ];
  for (const [what, pairs, before, after] of table) {
    it(what, () => {
      expect(relocate(before, pairs)).toBe(after);
      expect(reference(before, pairs)).toBe(after);
    });
  }

  it("refuses to shorten a string by too little", () => {
    expect(() => relocate("/pad/zlib\0", [["/pad/zlib", "/opt/xyz"]])).toThrow(
      expect.objectContaining({ code: "RELOCATION_FAILED" }),
    );
  });

  it("refuses to grow a string, with the numbers", () => {
    expect(() => relocate("..../pad/zlib/x", [["/pad/zlib", "/longer/zlib"]])).toThrow(
      expect.objectContaining({
        code: "PREFIX_TOO_LONG",
        message: '"/longer/zlib" (12 bytes) does not fit into the space of "/pad/zlib" (9 bytes) at byte 4',
      }),
    );
  });

  it("agrees with the rule as a regular expression, in results and refusals", () => {
    const piece = fc.constantFrom(
      "/p/abcdefgh",
      "/p/abcdefgh/sub-abc",
      "/p",
      "/q/some/where/zlib",
      "\0",
      "x",
      "/lib",
      "abcdefg",
      "\xff",
    );
    const text = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(""));
    const pair = fc.tuple(
      fc.constantFrom("/p/abcdefgh", "/p/abcdefgh/sub-abc", "/q/some/where/zlib"),
      fc.constantFrom(
        "/abcdefgh",
        "/n",
        "/s-abc",
        "/p/abcdefgx",
        "/zlib",
        "/q/some/where/zlob",
        "/o/where/zlib",
      ),
    );
    const pairs = fc.uniqueArray(pair, { minLength: 1, maxLength: 3, selector: ([from]) => from });
    fc.assert(
      fc.property(text, pairs, (text, pairs) => {
        const ours = outcome(() => relocate(text, pairs));
        const theirs = outcome(() => reference(text, pairs));
        expect(ours).toBe(theirs);
        if (!ours.startsWith("failed")) expect(ours.length).toBe(text.length);
      }),
      { numRuns: 5000 },
    );
  });
});
