import { describe, expect, it } from "vitest";
import { parseBuildinfo } from "../../src/install/buildinfo.ts";

const place = { spec: "zlib@1.3/abcdefg" };

function parse(text: string | Uint8Array) {
  return parseBuildinfo(Buffer.from(text), place);
}

describe("parseBuildinfo", () => {
  it("reads the flow form that Spack writes", () => {
    expect(
      parse(
        "{sbang_install_path: /sw/bin/sbang, buildpath: /sw/__spac, spackprefix: /home/spack, " +
          "relative_prefix: linux/zlib-abc, relocate_textfiles: [bin/yes, 'no', on, \"1.0\"], relocate_binaries: [], " +
          "relocate_links: [a/b], hardlinks_deduped: true, hash_to_prefix: {abc: /sw/__spac/linux/zlib-abc, ? '12'\n: /x/y}}\n",
      ),
    ).toEqual({
      sbangPath: "/sw/bin/sbang",
      root: "/sw/__spac",
      spackPrefix: "/home/spack",
      relativePrefix: "linux/zlib-abc",
      prefixes: new Map([
        ["abc", "/sw/__spac/linux/zlib-abc"],
        ["12", "/x/y"],
      ]),
      textFiles: ["bin/yes", "no", "on", "1.0"],
      binaries: [],
      links: ["a/b"],
    });
  });

  it("reads the old inverse map, and does without what old archives lack", () => {
    const buildinfo = parse(
      "{buildpath: /sw/root, prefix_to_hash: {/sw/root/zlib: abc}, relocate_textfiles: null}",
    );
    expect(buildinfo.prefixes).toEqual(new Map([["abc", "/sw/root/zlib"]]));
    expect(buildinfo.sbangPath).toBeUndefined();
    expect(buildinfo.textFiles).toEqual([]);
    expect(parse("{buildpath: /sw/root}").prefixes).toBeUndefined();
  });

  it("keeps names that are not UTF-8, and keys that look like properties", () => {
    expect(parse('{buildpath: /sw/root, relocate_binaries: ["caf\\udce9"]}').binaries).toEqual(["caf\udce9"]);
    const prefixes = parse("{buildpath: /sw/root, hash_to_prefix: {__proto__: /x/y}}").prefixes;
    expect(prefixes?.get("__proto__")).toBe("/x/y");
  });

  it("takes little time over many keys", () => {
    const keys = Array.from({ length: 50_000 }, (_, at) => `k${at}: /x/y${at}`);
    const prefixes = parse(`{buildpath: /sw/root, hash_to_prefix: {${keys.join(", ")}}}`).prefixes;
    expect(prefixes?.size).toBe(50_000);
  });

  const invalid: Record<string, string | Uint8Array> = {
    nothing: "",
    "a list": "[1, 2]",
    "no YAML": "{buildpath: /sw/root, ",
    "bytes that are no text": Buffer.from([0xff, 0xfe]),
    "no root": "{hash_to_prefix: {}}",
    "a relative root": "{buildpath: sw/root}",
    "the root of the file system": "{buildpath: /}",
    "a root with a slash at its end": "{buildpath: /sw/}",
    "an empty prefix": "{buildpath: /sw/root, hash_to_prefix: {abc: ''}}",
    "a prefix that is the root of the file system": "{buildpath: /sw/root, hash_to_prefix: {abc: /}}",
    "a prefix that is a list": "{buildpath: /sw/root, hash_to_prefix: {abc: [/x]}}",
    "a relative sbang path": "{buildpath: /sw/root, sbang_install_path: sbang}",
    "files that are no list": "{buildpath: /sw/root, relocate_links: x}",
    "files that are no names": "{buildpath: /sw/root, relocate_links: [[x]]}",
    "a mapping that is a string": "{buildpath: /sw/root, hash_to_prefix: x}",
    "deep nesting": "[".repeat(200_000),
    "deep nesting of lists without brackets": `{a: [${"- ".repeat(100_000)}`,
    "aliases that multiply": `{buildpath: /sw/root, a: &a [x,x,x,x,x,x,x,x,x], b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a], c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b], relocate_links: [*c,*c,*c,*c,*c,*c,*c,*c,*c]}`,
  };
  for (const [what, text] of Object.entries(invalid)) {
    it(`refuses ${what}`, () => {
      expect(() => parse(text)).toThrow(expect.objectContaining({ code: "BUILDINFO_INVALID", place }));
    });
  }
});
