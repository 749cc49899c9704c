import { describe, expect, it } from "vitest";
import { readManifest } from "../../src/environment/manifest.ts";
import type { Dialect } from "../../src/spec/abstract.ts";
import { machineFor } from "./machines.ts";

function read(text: string, dialect: Dialect = "1.x") {
  const { environment, errors } = readManifest(text, "spack.yaml", { dialect, machine: machineFor() });
  return {
    roots: environment?.specs.map((spec) => spec.text),
    errors: errors.map(({ code, message, place }) => `${place.line}:${place.column} ${code} ${message}`),
  };
}

const manifest = (definitions: string, specs: string) =>
  `spack:\n  definitions:\n${definitions
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n")}\n  specs: [${specs}]\n`;

describe("readDefinitions", () => {
  it("joins lists of one name where the name first stands (1.x)", () => {
    expect(read(manifest("- a: [zlib]\n- b: [$a, lz4]\n- a: [hwloc]", "$b")).roots).toEqual([
      "zlib",
      "hwloc",
      "lz4",
    ]);
    const { errors } = read(manifest("- a: [zlib]\n- b: [lz4]\n- a: [$b]", "$a"));
    expect(errors).toEqual(["5:10 MANIFEST_INVALID there is no definition `b`"]);
  });

  it("lets the last part of a list say what it may refer to (0.x)", () => {
    expect(read(manifest("- a: [zlib]\n- b: [lz4]\n- a: [$b]", "$a"), "0.x").roots).toEqual(["zlib", "lz4"]);
    expect(read(manifest("- a: [zlib]\n- a: [$a]", "$a"), "0.x").errors).toEqual([
      "3:9 MANIFEST_INVALID the definition `a` refers to itself",
    ]);
  });

  it("looks into what is not used in 1.x only", () => {
    expect(read(manifest("- a: [$nope]", "zlib")).errors).toEqual([
      "3:10 MANIFEST_INVALID there is no definition `nope`",
    ]);
    expect(read(manifest("- a: [$nope]", "zlib"), "0.x").roots).toEqual(["zlib"]);
    // Specs are read where they are used.
    for (const dialect of ["0.x", "1.x"] as const)
      expect(read(manifest("- a: ['zlib@@']", "zlib"), dialect).roots).toEqual(["zlib"]);
  });

  it("knows the name of a list that does not apply in 1.x only", () => {
    const text = manifest("- a: [$nope, 'zlib@@']\n  when: platform == 'darwin'", "$a, lz4");
    expect(read(text).roots).toEqual(["lz4"]);
    expect(read(text, "0.x").errors).toEqual(["5:12 MANIFEST_INVALID there is no definition `a`"]);
  });

  it.each([
    ["- { a: [zlib], b: [lz4] }", "3:18 MANIFEST_INVALID a definition has one name"],
    ["- { when: 'True' }", "3:5 MANIFEST_INVALID this definition has no name"],
    ["- {}", "3:5 MANIFEST_INVALID this definition has no name"],
    ["- a: zlib", "3:8 MANIFEST_INVALID `a` must be a list, not `zlib`"],
    ["- { a: [zlib], when: true }", "3:24 MANIFEST_INVALID `when` must be text, not `true` (true or false)"],
    [
      "- { a: [zlib], when: '' }",
      "3:25 MANIFEST_INVALID this condition has no value: something is missing at the end",
    ],
    [
      "- { a: [zlib], when: \"env['NOPE'] == 'x'\" }",
      "3:28 MANIFEST_INVALID this condition has no value: the environment variable `NOPE` is not set",
    ],
  ])("refuses %s", (definition, problem) => {
    for (const dialect of ["0.x", "1.x"] as const)
      expect(read(manifest(definition, "hwloc"), dialect).errors).toEqual([problem]);
  });

  it("takes no empty items (0.x), not even in what is not used", () => {
    expect(read(manifest("- a: [zlib, null]", "lz4"), "0.x").errors).toEqual([
      "3:15 MANIFEST_INVALID this item is empty",
    ]);
    expect(read(manifest("- a: [zlib, null]", "lz4"), "1.x").roots).toEqual(["lz4"]);
    expect(read(manifest("- a: [zlib, null]", "$a"), "1.x").errors).toEqual([
      "3:15 SPEC_SYNTAX this item is empty: it names no package",
    ]);
  });

  it("is bounded when lists refer to lists", () => {
    const chain = Array.from({ length: 3000 }, (_, at) => `- d${at}: [${at === 0 ? "zlib" : `$d${at - 1}`}]`);
    expect(read(manifest(chain.join("\n"), "$d2999"), "1.x").roots).toEqual(["zlib"]);
    expect(read(manifest(chain.join("\n"), "$d2999"), "0.x").errors).toEqual([
      expect.stringContaining("too deeply"),
    ]);
  });
});
