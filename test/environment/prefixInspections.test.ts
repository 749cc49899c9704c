import { describe, expect, it } from "vitest";
import { readManifest } from "../../src/environment/manifest.ts";
import { defaultInspections } from "../../src/environment/prefixInspections.ts";

function inspectionsOf(modules: string) {
  const { environment, errors } = readManifest(`spack:\n  specs: []\n${modules}`, "spack.yaml");
  expect(errors).toEqual([]);
  return environment?.prefixInspections.map((each) => each.join(" "));
}

const own = defaultInspections.map(([folder, variable]) => `./${folder} ${variable}`);

/** The values are those that `spack.user_environment.prefix_inspections` gave, in Spack 1.1 and in 0.23. */
describe("`modules: prefix_inspections:`", () => {
  it("is Spack's own where the manifest says nothing of it", () => {
    expect(inspectionsOf("")).toEqual(own);
    expect(inspectionsOf("  modules: { default: { enable: [tcl] } }\n")).toEqual(own);
  });

  it("comes before Spack's own; a key that is there already gets both lists", () => {
    const modules =
      "  modules:\n    prefix_inspections:\n      lib: [LD_LIBRARY_PATH, A]\n      ./bin: [FIRST]\n";
    expect(inspectionsOf(modules)).toEqual(["lib LD_LIBRARY_PATH", "lib A", "./bin FIRST", ...own]);
    expect(inspectionsOf("  modules: { prefix_inspections: { bin: [X] } }\n")).toEqual(["bin X", ...own]);
  });

  it("replaces Spack's own by `::`, all of them or one", () => {
    expect(inspectionsOf("  modules:\n    prefix_inspections:: { lib: [LD_LIBRARY_PATH] }\n")).toEqual([
      "lib LD_LIBRARY_PATH",
    ]);
    expect(inspectionsOf("  modules:\n    prefix_inspections:: {}\n")).toEqual([]);
    expect(inspectionsOf("  modules:\n    prefix_inspections:\n      ./bin:: [X]\n")).toEqual([
      "./bin X",
      ...own.slice(1),
    ]);
    expect(inspectionsOf("  modules::\n    prefix_inspections: { lib: [B] }\n")).toEqual(["lib B"]);
    // Spack falls back to what it has built in: the same folders, written in another way.
    expect(inspectionsOf("  modules::\n    default: { enable: [tcl] }\n")).toEqual(
      own.map((each) => each.slice(2)),
    );
  });

  it("names variables that cannot be", () => {
    const { environment, warnings } = readManifest(
      "spack:\n  modules:\n    prefix_inspections::\n      lib: [not-a-name, FINE]\n",
      "spack.yaml",
    );
    expect(environment?.prefixInspections).toEqual([["lib", "FINE"]]);
    expect(warnings).toMatchObject([
      {
        code: "MANIFEST_INVALID",
        place: { line: 4, column: 13 },
        message: expect.stringContaining("not-a-name"),
      },
    ]);
  });

  it("is refused where Spack refuses it", () => {
    const { errors } = readManifest("spack:\n  modules:\n    prefix_inspections:\n", "spack.yaml");
    expect(errors).toMatchObject([{ code: "MANIFEST_INVALID", place: { line: 3 } }]);
  });
});
