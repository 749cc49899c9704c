import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PruneInput, planPrune, type StoredNode } from "../../../src/commands/cache/prunePlan.ts";
import type { ConcreteSpec, DagHash } from "../../../src/spec/concrete.ts";
import { makeSpec } from "../../concretize/specs.ts";

const hour = 3_600_000;
const now = 1000 * hour;
const modern = { modern: true } as const;

function stored(spec: ConcreteSpec, ageHours: number | "unknown" = 500): StoredNode {
  const modified = ageHours === "unknown" ? undefined : now - ageHours * hour;
  return { stored: { format: "v3", hash: spec.hash, path: `manifests/${spec.hash}`, modified }, spec };
}

function need(label: string, specs: readonly ConcreteSpec[], roots = specs.slice(0, 1)) {
  return {
    label,
    specs: new Map(specs.map((spec) => [spec.hash, spec])),
    roots: roots.map(({ hash }) => hash),
  };
}

function plan(facts: Partial<PruneInput>) {
  const done = planPrune({
    stored: [],
    needs: [],
    spec: () => undefined,
    now,
    grace: 24 * hour,
    runtimeOnly: false,
    ...facts,
  });
  return { ...done, gone: done.remove.map(({ spec }) => spec?.name) };
}

const cmake = makeSpec("cmake@3.20", modern);
const zlib = makeSpec("zlib@1.3", { ...modern, build: [cmake] });
const mpich = makeSpec("mpich@4.0", { ...modern, link: [zlib] });
const app = makeSpec("app@1.0", { ...modern, link: [mpich] });
const other = makeSpec("other@1.0", { ...modern, link: [zlib] });
const all = [app, mpich, zlib, cmake, other];

describe("planPrune", () => {
  it("keeps what is named, with closures, and tells why", () => {
    const { keep, gone } = plan({ stored: all.map((one) => stored(one)), needs: [need("lock A", [app])] });
    expect(gone).toEqual(["other"]);
    expect(keep.get(app.hash)).toEqual({ kind: "named", by: ["lock A"], total: 1 });
    expect(keep.get(mpich.hash)).toEqual({ kind: "dependency", of: app.hash });
    expect(keep.get(cmake.hash)).toEqual({ kind: "dependency", of: zlib.hash });
  });

  it("lets go of what was needed to build only when asked to", () => {
    const facts = {
      stored: all.map((one) => stored(one)),
      needs: [need("lock A", [app, mpich, zlib, cmake])],
    };
    expect(plan(facts).gone).toEqual(["other"]);
    expect(plan({ ...facts, runtimeOnly: true }).gone).toEqual(["cmake", "other"]);
  });

  it("keeps what is young, whatever it depends on, and what has no age", () => {
    const packages = [
      stored(other, 1),
      stored(zlib),
      stored(cmake),
      stored(mpich, 100),
      stored(app, "unknown"),
    ];
    const { keep, gone } = plan({ stored: packages });
    // `app` has no age, so that what it needs stays as well.
    expect(gone).toEqual([]);
    expect(keep.get(other.hash)).toEqual({ kind: "young" });
    expect(keep.get(app.hash)).toEqual({ kind: "age-unknown" });
    expect(plan({ stored: packages, grace: 0 }).gone).toHaveLength(5);
    expect(plan({ stored: packages.slice(0, 4) }).gone).toEqual(["mpich"]);
  });

  it("follows dependencies through packages that the cache does not have", () => {
    const facts = { stored: [stored(zlib), stored(other)], needs: [need("image", [app])] };
    expect(plan({ ...facts, spec: (hash) => all.find((one) => one.hash === hash) }).gone).toEqual(["other"]);
  });

  it("keeps the archive that a spliced package is made of", () => {
    const spliced = { ...makeSpec("app@1.0", modern), buildSpec: { name: "app", hash: app.hash } };
    const facts = { stored: all.map((one) => stored(one)), needs: [need("lock", [spliced])] };
    expect(plan(facts).gone).toEqual(["other"]);
  });

  it("lets go of what cannot be read, once it is old", () => {
    const unreadable = { ...stored(other), spec: undefined };
    expect(plan({ stored: [unreadable] }).gone).toHaveLength(1);
    expect(plan({ stored: [{ ...stored(other, 1), spec: undefined }] }).gone).toEqual([]);
  });

  it("never breaks a closure, and never keeps what nothing asks for", () => {
    const dag = fc
      .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 30 })
      .map((edges) => {
        const specs: ConcreteSpec[] = [];
        for (const picks of edges) {
          const link = specs.length === 0 ? [] : picks.flatMap((pick) => specs[pick % specs.length] ?? []);
          specs.push(makeSpec(`p${specs.length}@1`, { ...modern, link: [...new Set(link)] }));
        }
        return specs;
      });
    const ages = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 30, maxLength: 30 });
    fc.assert(
      fc.property(dag, ages, fc.array(fc.nat(), { maxLength: 3 }), (specs, hours, roots) => {
        const packages = specs.map((spec, at) => stored(spec, hours[at]));
        const wanted = roots.flatMap((pick) => specs[pick % specs.length] ?? []);
        const { keep, remove } = plan({
          stored: packages,
          needs: wanted.map((one) => need(one.name, [one])),
        });
        const byHash = new Map(specs.map((spec) => [spec.hash, spec]));
        const expected = new Set<DagHash>(wanted.map(({ hash }) => hash));
        for (const [at, { hash }] of specs.entries()) if ((hours[at] ?? 0) < 24) expected.add(hash);
        for (const hash of expected)
          for (const edge of byHash.get(hash)?.dependencies ?? []) expected.add(edge.hash);
        expect(new Set(keep.keys())).toEqual(expected);
        expect(remove.length + keep.size).toBe(specs.length);
      }),
    );
  });
});
