import { describe, expect, it } from "vitest";
import type { Dialect } from "../../src/spec/abstract.ts";
import { formatSpec } from "../../src/spec/format.ts";
import { type ParseOptions, parseSpec, parseSpecs } from "../../src/spec/parse.ts";
import { SpacktainersError } from "../../src/util/errors.ts";

const print = (text: string, dialect: Dialect) => formatSpec(parseSpec(text, { dialect }), dialect);

function refusal(text: string, options: ParseOptions): SpacktainersError {
  try {
    parseSpec(text, options);
  } catch (thrown) {
    if (thrown instanceof SpacktainersError) return thrown;
    throw thrown;
  }
  throw new Error(`${text} was accepted`);
}

/** What real Spack 0.23.0 and 1.1.0 print. */
const printed = {
  "0.x": [
    ["", ""],
    ["zlib @1.2 +shared -pic", "zlib@1.2~pic+shared"],
    ["zlib-pic", "zlib-pic"],
    ["a.b.zlib", "zlib"],
    ["+shared namespace=x", "+shared namespace=x"],
    ["hdf5 %gcc@12 +mpi", "hdf5%gcc@12+mpi"],
    ["zlib libs=shared%gcc@=12.2.0", "zlib%gcc@=12.2.0 libs=shared"],
    ["mpich ^hwloc ^hwloc@2", "mpich ^hwloc@2"],
    ["zlib cflags=-O3 -g", "zlib cflags=-O3 ~g"],
    ['zlib foo=bar cflags="-O2 -g"', "zlib cflags='-O2 -g'  foo=bar"],
    ["zlib cflags==-g", "zlib cflags==-g"],
    ["zlib arch=linux", "zlib arch=None-None-linux"],
    ["zlib os=debian12 target=zen2", "zlib arch=None-debian12-zen2"],
    ["hdf5 ^[deptypes=run,link virtuals=mpi] mpich", "hdf5 ^[deptypes=link,run virtuals=mpi] mpich"],
    ["hdf5 ^[deptypes=foo virtuals=mpi deptypes=link] mpich", "hdf5 ^[deptypes=link virtuals=mpi] mpich"],
    ["zlib foo=*", "zlib foo='*'"],
    ["zlib foo=b,a ++bar ~~baz x==y", "zlib++bar~~baz foo=a,b x==y"],
    ["zlib foo=TRUE", "zlib+foo"],
    ["zlib/abc", "zlib/abc"],
    ["hdf5 ^/c4 ^/a2 ^/b3", "hdf5 ^/a2 ^/b3 ^/c4"],
    [
      "hdf5 ^[deptypes=run] mpich/c ^[deptypes=build] mpich/a",
      "hdf5 ^[deptypes=build] mpich/a ^[deptypes=run] mpich/c",
    ],
    ["zlib@git.main=1.2", "zlib@git.main=1.2"],
  ],
  "1.x": [
    ["zlib %gcc@12 +shared", "zlib %gcc@12+shared"],
    ["zlib os=debian12 arch=linux-None-zen2 ", undefined],
    ["zlib platform=linux target=zen2", "zlib platform=linux target=zen2"],
    ["zlib %clang@15", "zlib %clang@15"],
    ["zlib %c,cxx=gcc@12", "zlib %c,cxx=gcc@12"],
    ["zlib %[virtuals=c] gcc", "zlib %c=gcc"],
    ["zlib %%gcc", "zlib %%gcc"],
    ["hdf5 ^mpi=mpich+x", "hdf5 ^mpi=mpich+x"],
    ["hdf5 ^zlib %gcc ^mpich", "hdf5 ^mpich ^zlib %gcc"],
    ["hdf5 %[when='+mpi' deptypes=build] cmake@3", "hdf5 %[when='+mpi' deptypes=build] cmake@3"],
    ["lz4 libs:=static,shared", "lz4 libs:=shared,static"],
    ["lz4 libs:==static", "lz4 libs:==static"],
    ["*", ""],
    ["zlib ^", "zlib ^*"],
    ["zlib build_system=autotools%gcc", "zlib build_system='autotools%gcc'"],
    ["zlib foo=true", "zlib+foo"],
    ["zlib target=*", "zlib target=*"],
  ],
} as const;

describe.each(["0.x", "1.x"] as const)("dialect %s", (dialect) => {
  it.each(printed[dialect].filter(([, expected]) => expected !== undefined))(
    "%j prints as %j",
    (text, expected) => {
      expect(print(text, dialect)).toBe(expected);
    },
  );

  it.each(printed[dialect].filter(([, expected]) => expected === undefined))("refuses %j", (text) => {
    expect(refusal(text, { dialect }).code).toBe("SPEC_SYNTAX");
  });

  it.each([
    ["zlib@", 6, /expected a version after @ but found the end/],
    ["zlib@@1.2", 6, /expected a version after @ but found "@"/],
    ["zlib+", 6, /the name of a variant after \+/],
    ["zlib bar=", 10, /a value after =/],
    ["zlib foo='bar", 10, /the ' is never closed/],
    ["zlib//abc", 6, /a hash after \//],
    ["@1.2 zlib", 6, /the end of the spec but found "zlib"/],
    ["zlib+x~x", 7, /the variant x is given twice/],
    ["zlib@1.2@1.3", 9, /two versions/],
    ["zlib@1.3:1.1", 5, /the range 1.3:1.1 is empty/],
    ["zlib target=a target=b", 15, /the target is given twice/],
    ["zlib ^[virtuals=mpi", 6, /never closed/],
    ["zlib ^[deptypes=foo] x", 17, /"foo" is not a dependency type/],
    ["zlib ^[foo=1] x", 8, /"foo" is not an attribute of a dependency/],
    ["zlib $x", 6, /expected a name, @version/],
    ["zlib target==x", 6, /cannot be propagated/],
    ["zlib ^x@1 ^x@2", 11, /no version is in both @1 and @2/],
    ["zlib ^x.json y", 14, /the end of the spec/],
    ["./zlib.json", 1, /specs in files/],
    ["zlib ]", 6, /the end of the spec/],
    ["zlib +cflags", 6, /cflags needs a value/],
  ])("refuses %j at column %i", (text, column, message) => {
    const error = refusal(text, { dialect, place: { file: "spack.yaml", line: 3 } });
    expect(error.code).toBe("SPEC_SYNTAX");
    expect(error.message).toMatch(message);
    expect(error.place).toEqual({ file: "spack.yaml", line: 3, column });
  });

  it("counts columns from the place of the text", () => {
    expect(refusal("zlib@", { dialect, place: { file: "a", line: 2, column: 10 } }).place.column).toBe(15);
  });

  it("reads several specs", () => {
    const specs = parseSpecs("hdf5+mpi ^zlib  zlib@1.2/abc /def", { dialect });
    expect(specs.map((spec) => formatSpec(spec, dialect))).toEqual([
      "hdf5+mpi ^zlib",
      "zlib@1.2/abc",
      "/def",
    ]);
    expect(parseSpecs("  ", { dialect })).toEqual([]);
    expect(() => parseSpecs("zlib ] x", { dialect })).toThrowError(SpacktainersError);
  });

  it("refuses texts without end", () => {
    expect(refusal(`zlib ${"+a".repeat(50_000)}`, { dialect }).message).toMatch(/too long/);
  });
});

describe("1.x only", () => {
  const toolchains = new Map<string, string | { spec: string; when?: string }[]>([
    ["simple", "%c,cxx=clang@15 %fortran=gcc@12"],
    [
      "mixed",
      [
        { spec: "%c=clang", when: "%c" },
        { spec: "cflags=-O3", when: "+opt" },
      ],
    ],
    ["wrong", "^gcc"],
  ]);
  const options: ParseOptions = { dialect: "1.x", toolchains };
  const expand = (text: string) => formatSpec(parseSpec(text, options), "1.x");

  it("takes little time over toolchains that multiply", () => {
    const many = new Map(
      Array.from({ length: 8 }, (_, at): [string, string] => [
        `t${at}`,
        at === 7 ? "%gcc" : `%t${at + 1} `.repeat(50),
      ]),
    );
    expect(() => parseSpec("zlib %t0", { dialect: "1.x", toolchains: many })).toThrow(
      /more than 1000 toolchains/,
    );
  });

  it("expands toolchains", () => {
    expect(expand("zlib %simple")).toBe("zlib %fortran=gcc@12 %c,cxx=clang@15");
    expect(expand("zlib %%simple")).toBe("zlib %%fortran=gcc@12 %%c,cxx=clang@15");
    expect(expand("zlib %mixed")).toBe("zlib cflags=-O3 %[when='%c'] c=clang");
    expect(expand("zlib ^simple")).toBe("zlib ^simple");
    expect(refusal("zlib %wrong", options).message).toMatch(/cannot have \^/);
  });

  it("points into conditions", () => {
    expect(refusal("zlib %[when='+'] gcc", { dialect: "1.x" }).place.column).toBe(15);
  });

  it("refuses a % at the end and nested conditions without end", () => {
    expect(refusal("zlib %", { dialect: "1.x" }).place.column).toBe(7);
  });
});

it("0.x refuses what 1.x means by %", () => {
  for (const text of ["zlib %c=gcc", "zlib %%gcc", "zlib libs:=a", "zlib%gcc%clang", "zlib ^", "*"])
    expect(refusal(text, { dialect: "0.x" }).code).toBe("SPEC_SYNTAX");
});

it("0.x cannot print dependencies without a name beside others, but can use them", () => {
  const spec = parseSpec("zlib ^+x ^y", { dialect: "0.x" });
  expect(spec.dependencies).toHaveLength(2);
  expect(() => formatSpec(spec, "0.x")).toThrowError(expect.objectContaining({ code: "SPEC_SYNTAX" }));
});
