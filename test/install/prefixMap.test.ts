import { describe, expect, it } from "vitest";
import type { Buildinfo } from "../../src/install/buildinfo.ts";
import { checkPrefixLengths } from "../../src/install/checkPrefixLengths.ts";
import { makePrefixMap, type PrefixRequest } from "../../src/install/prefixMap.ts";
import type { PrefixSearch } from "../../src/install/prefixSearch.ts";
import type { DagHash } from "../../src/spec/concrete.ts";

const [own, dep, external] = ["own", "dep", "ext"] as unknown as [DagHash, DagHash, DagHash];

const buildinfo: Buildinfo = {
  sbangPath: "/old/bin/sbang",
  root: "/old/padded",
  spackPrefix: "/home/spack",
  relativePrefix: "linux/zlib-own",
  prefixes: new Map([
    [own, "/old/padded/linux/zlib-own"],
    [dep, "/old/padded/linux/gcc-dep"],
    [external, "/usr"],
  ]),
  textFiles: [],
  binaries: [],
  links: [],
};

const request: PrefixRequest = {
  name: "zlib",
  version: "1.3",
  hash: own,
  root: "/new",
  prefixes: { [own]: "/new/zlib-own", [dep]: "/new/gcc-dep" },
  relocationOrder: [own, dep, external],
  generation: "1.x",
};

function pairs(search: PrefixSearch): string[] {
  return search.pairs.map(({ from, to }) => `${from} ${to}`);
}

const packages = ["/old/padded/linux/zlib-own /new/zlib-own", "/old/padded/linux/gcc-dep /new/gcc-dep"];

describe("makePrefixMap", () => {
  it("maps as Spack 1.x does: sbang, packages, root, everywhere", () => {
    const map = makePrefixMap(buildinfo, request);
    const expected = [...packages, "/old/bin/sbang /new/bin/sbang", "/old/padded /new"];
    expect(pairs(map.text)).toEqual(expected);
    expect(pairs(map.binary)).toEqual(expected);
    expect(pairs(map.loader)).toEqual(expected);
  });

  it("maps as Spack 0.23 does: sbang in texts only, and the line of old sbang scripts", () => {
    const map = makePrefixMap(buildinfo, { ...request, generation: "0.x" });
    expect(pairs(map.binary)).toEqual([...packages, "/old/padded /new"]);
    expect(pairs(map.text)).toEqual([
      "#!/bin/bash /home/spack/bin/sbang #!/bin/sh /new/bin/sbang",
      ...packages,
      "/old/bin/sbang /new/bin/sbang",
      "/old/padded /new",
    ]);
  });

  it("maps the package's own prefix by its place below the root in archives of 0.23", () => {
    const old = { ...buildinfo, prefixes: undefined };
    const map = makePrefixMap(old, {
      ...request,
      generation: "0.x",
      prefixes: { [own]: "/new/linux/zlib-own" },
    });
    expect(pairs(map.binary)).toEqual(["/old/padded/linux/zlib-own /new/linux/zlib-own", "/old/padded /new"]);
  });

  it("leaves out what does not change", () => {
    const same: PrefixRequest = {
      ...request,
      root: "/old/padded",
      prefixes: { [own]: "/old/padded/linux/zlib-own", [dep]: "/old/padded/elsewhere/gcc-dep" },
    };
    const moved = "/old/padded/linux/gcc-dep /old/padded/elsewhere/gcc-dep";
    expect(pairs(makePrefixMap(buildinfo, same).binary)).toEqual([
      moved,
      "/old/bin/sbang /old/padded/bin/sbang",
    ]);
    // 0.23 keeps them where the loader looks.
    expect(pairs(makePrefixMap(buildinfo, { ...same, generation: "0.x" }).loader)).toEqual([
      "/old/padded/linux/zlib-own /old/padded/linux/zlib-own",
      moved,
      "/old/padded /old/padded",
    ]);
  });

  it("tries longer prefixes first, so that gcc does not hide gcc-runtime", () => {
    const odd = {
      ...buildinfo,
      prefixes: new Map([
        [own, "/old/gcc"],
        [dep, "/old/gcc-runtime"],
      ]),
    };
    const map = makePrefixMap(odd, request);
    expect(pairs(map.text).slice(0, 1)).toEqual(["/old/gcc-runtime /new/gcc-dep"]);
    expect(map.text.matchAt(Buffer.from("/old/gcc-runtime/lib"), 0)?.to.toString()).toBe("/new/gcc-dep");
    expect(map.text.matchAt(Buffer.from("/old/gcc/lib"), 0)?.to.toString()).toBe("/new/zlib-own");
  });

  it("maps what a splice replaced to what replaced it", () => {
    const [spliced, other] = ["new", "oth"] as unknown as [DagHash, DagHash];
    const map = makePrefixMap(buildinfo, {
      ...request,
      hash: spliced,
      prefixes: { [spliced]: "/new/zlib-new", [other]: "/new/llvm-oth" },
      relocationOrder: [spliced, other],
      analogs: { [spliced]: own, [other]: dep },
    });
    expect(pairs(map.text).slice(0, 2)).toEqual([
      "/old/padded/linux/zlib-own /new/zlib-new",
      "/old/padded/linux/gcc-dep /new/llvm-oth",
    ]);
  });

  it("refuses an archive of another package, and one that cannot be relocated", () => {
    const other = { ...buildinfo, prefixes: new Map([[dep, "/old/padded/gcc"]]) };
    expect(() => makePrefixMap(other, request)).toThrow(
      expect.objectContaining({ code: "IDENTITY_MISMATCH" }),
    );
    expect(() => makePrefixMap({ ...buildinfo, prefixes: undefined }, request)).toThrow(
      expect.objectContaining({ code: "RELOCATION_FAILED", place: { spec: "zlib@1.3/own" } }),
    );
  });
});

describe("checkPrefixLengths", () => {
  const change = (name: string, oldLength: number, newPrefix: string) => ({
    name,
    hash: "abcdefghij",
    oldPrefix: "/".padEnd(oldLength, "x"),
    newPrefix,
  });

  it("has nothing to say when everything fits", () => {
    expect(() =>
      checkPrefixLengths(
        [change("a", 20, "/opt/software/a-abcd"), change("b", 40, "/opt/b")],
        "/opt/software",
      ),
    ).not.toThrow();
  });

  it("names every package, with the numbers and a root that fits", () => {
    const packages = [
      change("a", 20, "/opt/software/a-abcdef"),
      change("b", 30, "/opt/software/b"),
      change("c", 18, "/opt/software/c-abcdef"),
    ];
    expect(() => checkPrefixLengths(packages, "/opt/software")).toThrow(
      expect.objectContaining({
        code: "PREFIX_TOO_LONG",
        message:
          "2 new prefixes are longer than the old: c/abcdefg (22 bytes for 18), a/abcdefg (22 bytes for 20)",
        hint: "choose an install root of at most 9 bytes, such as /opt/sw; /opt/software has 13",
      }),
    );
  });

  it("says when no root fits, and does not name hundreds", () => {
    const packages = Array.from({ length: 30 }, (_, n) => change(`p${n}`, 10, "/opt/software/name-version"));
    expect(() => checkPrefixLengths(packages, "/opt/software")).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^30 new prefixes .* and 20 more$/),
        hint: expect.stringContaining("padding"),
      }),
    );
  });

  it("counts bytes, not characters", () => {
    expect(() => checkPrefixLengths([change("a", 6, "/é/é/é")], "/é")).toThrow(/9 bytes for 6/);
  });
});
