import { describe, expect, it } from "vitest";
import { readManifest } from "../../../src/environment/manifest.ts";
import { viewChoice } from "../../../src/pipeline/assemble/viewChoice.ts";
import { makeSpec } from "../../view/makeSpec.ts";

const zlib = makeSpec("zlib");
const python = makeSpec("python", { version: "3.11" });
const ring = makeSpec("ring", {
  dependencies: [
    ["zlib", zlib.hash, "link"],
    ["python", python.hash, "run"],
  ],
});
const all = [ring, python, zlib];
const graph = new Map(all.map((spec) => [spec.hash, spec]));

/** The view of a manifest whose root is ring. */
function view(lines: string) {
  const { environment } = readManifest(`spack:\n  specs: [ring]\n  view:${lines}\n`, "spack.yaml");
  if (environment === undefined) throw new Error("invalid");
  const choice = viewChoice(environment, graph);
  if (choice === undefined) return undefined;
  const shown = all.filter((spec) => choice.shows(spec, { graph, roots: [ring.hash] }));
  return { ...choice, shown: shown.map(({ name }) => name) };
}

describe("viewChoice", () => {
  it("is none where the manifest wants none", () => expect(view(" false")).toBeUndefined());

  it.each([
    [" true", ["ring", "python", "zlib"]],
    [" {default: {root: v, link: roots}}", ["ring"]],
    [" {default: {root: v, link: run}}", ["ring", "python"]],
    [" {default: {root: v, select: [python, zlib]}}", ["python", "zlib"]],
    [" {default: {root: v, select: [python, zlib], exclude: ['python@3.11']}}", ["zlib"]],
    [" {other: {root: a}, default: {root: v, link: roots}}", ["ring"]],
    [" {other: {root: a, link: roots}}", ["ring"]],
  ])("shows packages by `view:%s`", (lines, expected) => expect(view(lines)?.shown).toEqual(expected));

  it("projects a package by the first spec that it satisfies, else as all", () => {
    const choice = view(" {default: {root: v, projections: {zlib: 'z/{name}', all: '{name}-{version}'}}}");
    expect(choice?.projectionOf(zlib)).toBe("z/zlib");
    expect(choice?.projectionOf(python)).toBe("python-3.11");
    expect(view(" true")?.projectionOf(zlib)).toBe("");
  });
});
