import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseVariantDefaults } from "../../src/concretize/variantDefaults.ts";
import type { ConcreteSpec } from "../../src/spec/concrete.ts";
import { SpacktainersError } from "../../src/util/errors.ts";
import { makeSpec } from "./specs.ts";

const meta = { "file-type": "spacktainers-recipe-facts", version: 1, spack: "0.23.0" };
const file = (packages: object) => JSON.stringify({ _meta: meta, packages });
const lookupOf = (...specs: readonly ConcreteSpec[]) => ({
  get: (hash: string) => specs.find((spec) => spec.hash === hash),
});

describe("parseVariantDefaults", () => {
  it("tells defaults of every kind", () => {
    const facts = parseVariantDefaults(
      file({
        zlib: {
          pic: [{ default: true }],
          build_system: [{ default: "makefile" }],
          tags: [{ default: ["a", "b"] }],
        },
      }),
      "facts.json",
    );
    const zlib = makeSpec("zlib@1.3");
    expect(facts.defaultsOf(zlib, "pic", lookupOf(zlib))).toEqual([true]);
    expect(facts.defaultsOf(zlib, "build_system", lookupOf(zlib))).toEqual(["makefile"]);
    expect(facts.defaultsOf(zlib, "tags", lookupOf(zlib))).toEqual(["a", "b"]);
    expect(facts.defaultsOf(zlib, "other", lookupOf(zlib))).toBeUndefined();
    expect(facts.defaultsOf(makeSpec("other"), "pic", lookupOf())).toBeUndefined();
  });

  it("takes the last definition whose condition holds, in dependencies too", () => {
    const facts = parseVariantDefaults(
      file({
        tool: {
          gui: [{ default: false }, { when: "@2:", default: true }],
          ipo: [{ when: "^cmake@3.9:", default: false }],
        },
      }),
      "facts.json",
    );
    const cmake = makeSpec("cmake@3.20");
    const old = makeSpec("tool@1.0");
    const fresh = makeSpec("tool@2.0", { build: [cmake] });
    const lookup = lookupOf(cmake, old, fresh);
    expect(facts.defaultsOf(old, "gui", lookup)).toEqual([false]);
    expect(facts.defaultsOf(fresh, "gui", lookup)).toEqual([true]);
    expect(facts.defaultsOf(old, "ipo", lookup)).toBeUndefined();
    expect(facts.defaultsOf(fresh, "ipo", lookup)).toEqual([false]);
  });

  it("refuses what is no such file, and conditions that are no specs", () => {
    for (const text of ["", "[]", "{}", file({ zlib: { pic: true } }), '{"_meta":{"version":9}}'])
      expect(() => parseVariantDefaults(text, "facts.json")).toThrow(SpacktainersError);
    const facts = parseVariantDefaults(
      file({ zlib: { pic: [{ when: "@@", default: true }] } }),
      "facts.json",
    );
    const zlib = makeSpec("zlib");
    expect(() => facts.defaultsOf(zlib, "pic", lookupOf(zlib))).toThrow(/`@@` is not a spec/);
  });

  it("is not led astray by names of object properties", () => {
    const facts = parseVariantDefaults(
      `{"_meta":${JSON.stringify(meta)},"packages":{"__proto__":{"pic":[{"default":true}]},"zlib":{"__proto__":[{"default":true}]}}}`,
      "facts.json",
    );
    const zlib = makeSpec("zlib");
    for (const name of ["toString", "constructor", "pic"])
      expect(facts.defaultsOf(zlib, name, lookupOf(zlib))).toBeUndefined();
  });

  it("never throws anything but our errors", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          parseVariantDefaults(text, "facts.json");
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SpacktainersError);
        }
      }),
      { numRuns: 200 },
    );
  });
});
