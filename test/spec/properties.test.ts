import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Dialect } from "../../src/spec/abstract.ts";
import { constrain } from "../../src/spec/constrain.ts";
import { formatSpec } from "../../src/spec/format.ts";
import { intersects } from "../../src/spec/intersects.ts";
import { type ParseOptions, parseSpec, parseSpecs } from "../../src/spec/parse.ts";
import { readSpecFile } from "../../src/spec/readSpecfile.ts";
import { satisfies } from "../../src/spec/satisfies.ts";
import {
  compareVersions,
  formatVersionSet,
  parseVersion,
  parseVersionSet,
  sameVersions,
  versionsIntersect,
  versionsIntersection,
  versionsSatisfy,
  versionsUnion,
} from "../../src/spec/versions.ts";
import { SpacktainersError } from "../../src/util/errors.ts";

/** The result, or undefined when there is an error of ours; other errors are bugs and pass through. */
function attempt<T>(step: () => T): T | undefined {
  try {
    return step();
  } catch (thrown) {
    if (thrown instanceof SpacktainersError) return undefined;
    throw thrown;
  }
}

const dialect = fc.constantFrom<Dialect>("0.x", "1.x");
const name = fc.constantFrom("zlib", "hdf5", "py-numpy", "mpich", "mpi", "gcc", "builtin.ring");
const version = fc
  .array(
    fc.oneof(fc.nat(30).map(String), fc.constantFrom("rc1", "alpha", "beta2", "p1", "a", "develop", "main")),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .map((parts) => parts.join("."));
const versionItem = fc.oneof(
  version,
  version.map((v) => `=${v}`),
  version.map((v) => `${v}:`),
  version.map((v) => `:${v}`),
);
const versionSet = fc.array(versionItem, { minLength: 1, maxLength: 4 }).map((items) => items.join(","));
const value = fc.constantFrom("a", "b", "a,b", "*", "none", "'x y'", "'it\\'s'", "17", "true", "x-y");
const attribute = fc.oneof(
  versionSet.map((set) => `@${set}`),
  fc
    .tuple(fc.constantFrom(" +", " ~", " ++", " ~~"), fc.constantFrom("shared", "mpi", "pic"))
    .map((p) => p.join("")),
  fc
    .tuple(fc.constantFrom("foo", "libs"), fc.constantFrom("=", "=="), value)
    .map((parts) => ` ${parts.join("")}`),
  fc.constantFrom(
    " target=x86_64_v2:",
    " target=zen2",
    " os=debian12",
    " cflags='-O2 -g'",
    " /abcdef",
    " ldflags==-s",
  ),
);
const node = fc
  .tuple(name, fc.array(attribute, { maxLength: 4 }))
  .map(([head, tail]) => head + tail.join(""));
const specText = (which: Dialect) =>
  fc
    .tuple(
      node,
      fc.array(
        fc.tuple(
          which === "0.x"
            ? fc.constantFrom(" ^", " ^[virtuals=mpi] ")
            : fc.constantFrom(" ^", " %", " %%", " ^[deptypes=link] ", " %[when='+mpi'] ", " %c,cxx="),
          node,
        ),
        { maxLength: 3 },
      ),
    )
    .map(([root, dependencies]) => root + dependencies.flat().join(""));
const specIn = dialect.chain((which) => fc.tuple(fc.constant(which), specText(which)));

describe("parsing", () => {
  it("never fails but with an error of ours, whatever the text", () => {
    const piece = fc.constantFrom(
      ..."@:,=^%+~-/[]*.'\"\\ \n\ta1_",
      "%%",
      "^[",
      "==",
      ":=",
      "@git.",
      "zlib",
      "é",
      "\u{1f600}",
    );
    const noise = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(piece, { maxLength: 60 }).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(noise, dialect, (text, which) => {
        const options: ParseOptions = { dialect: which };
        attempt(() => parseSpecs(text, options));
        const parsed = attempt(() => parseSpec(text, options));
        if (parsed !== undefined) attempt(() => formatSpec(parsed, which));
        attempt(() => parseVersionSet(text, which));
      }),
      { numRuns: 1000 },
    );
  });

  it("takes time in proportion to the text", () => {
    const hostile = [
      "'",
      "\\'",
      "a=",
      "a.",
      "@1,",
      "@1:",
      "a-",
      "(",
      "^[",
      "]",
      "=",
      " ",
      "\t",
      "1.",
      "git.",
    ];
    for (const which of ["0.x", "1.x"] as const)
      for (const unit of hostile) {
        const text = `x='${unit.repeat(10_000)}`.slice(0, 30_000);
        attempt(() => parseSpec(text, { dialect: which }));
        attempt(() => parseSpec(text.slice(3), { dialect: which }));
        attempt(() => parseSpec(`@${text.slice(3)}`, { dialect: which }));
      }
  });

  it("what is printed reads as the same spec", () => {
    fc.assert(
      fc.property(specIn, ([which, text]) => {
        // What Spack makes of a dependency that is named twice, it cannot always read again itself: `^a os=x ^a target=y:`
        // is printed with an empty target by 1.1, `^a libs=* ^a libs=true` turns from text to boolean in 0.23.
        const named = [...text.matchAll(/[\^%](?:\[[^\]]*\])?\s*(?:[\w,]+=)?([\w.-]+)/g)].map(
          ([, name]) => name,
        );
        fc.pre(new Set(named).size === named.length);
        const parsed = attempt(() => parseSpec(text, { dialect: which }));
        fc.pre(parsed !== undefined);
        const printed = attempt(() => formatSpec(parsed, which));
        fc.pre(printed !== undefined);
        expect(formatSpec(parseSpec(printed, { dialect: which }), which)).toBe(printed);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("relations", () => {
  it("hold between a spec and itself, and what two specs allow satisfies both", () => {
    fc.assert(
      fc.property(
        dialect.chain((d) => fc.tuple(fc.constant(d), specText(d), specText(d))),
        ([which, left, right]) => {
          const options = { dialect: which };
          const a = attempt(() => parseSpec(left, options));
          const b = attempt(() => parseSpec(right, options));
          fc.pre(a !== undefined && b !== undefined);
          expect(intersects(a, b, options)).toBe(intersects(b, a, options));
          if (satisfies(a, b, options) && satisfies(b, a, options))
            expect(intersects(a, b, options)).toBe(true);
          const both = attempt(() => constrain(a, b, options));
          if (both !== undefined) expect(intersects(a, b, options)).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("version sets", () => {
  const sets = dialect.chain((which) => fc.tuple(fc.constant(which), versionSet, versionSet, version));
  it("agree with membership", () => {
    fc.assert(
      fc.property(sets, ([which, left, right, text]) => {
        const [a, b] = [parseVersionSet(left, which), parseVersionSet(right, which)];
        const one = parseVersion(text, which);
        const inBoth = versionsSatisfy(one, a) && versionsSatisfy(one, b);
        expect(versionsSatisfy(one, versionsIntersection(a, b))).toBe(inBoth);
        expect(versionsSatisfy(one, versionsUnion(a, b))).toBe(
          versionsSatisfy(one, a) || versionsSatisfy(one, b),
        );
        if (inBoth) expect(versionsIntersect(a, b)).toBe(true);
        if (versionsSatisfy(a, b) && versionsSatisfy(one, a)) expect(versionsSatisfy(one, b)).toBe(true);
        expect(sameVersions(parseVersionSet(formatVersionSet(a), which), a)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it("versions are in one order", () => {
    fc.assert(
      fc.property(dialect, version, version, version, (which, ...texts) => {
        const [a, b, c] = texts.map((text) => parseVersion(text, which));
        if (a === undefined || b === undefined || c === undefined) throw new Error("no versions");
        expect(Math.sign(compareVersions(a, b))).toBe(0 - Math.sign(compareVersions(b, a)));
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0)
          expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 1000 },
    );
  });
});

it("spec files never fail but with an error of ours", () => {
  const key = fc.constantFrom(
    "name",
    "version",
    "arch",
    "hash",
    "parameters",
    "dependencies",
    "external",
    "spec",
    "x",
  );
  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom<unknown>(null, true, 5, "zlib", "a".repeat(32), []),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(key, tie("value"), { maxKeys: 6 }),
    ),
  })).value;
  fc.assert(
    fc.property(json, json, (whole, node) => {
      attempt(() => readSpecFile(whole, {}));
      attempt(() => readSpecFile({ spec: { _meta: { version: 5 }, nodes: [node] } }, {}));
    }),
    { numRuns: 500 },
  );
});
