import { describe, expect, it } from "vitest";
import { settingPath, withAdditions } from "../../../src/commands/migrate/manifestAdditions.ts";
import { findingList } from "../../../src/commands/migrate/migration.ts";

describe("settingPath", () => {
  it("splits as Spack does", () => {
    expect(settingPath("packages:all:target:[x86_64_v3]")).toEqual([
      ["packages", "all", "target"],
      "[x86_64_v3]",
    ]);
    expect(settingPath('packages:all:require:"@1.2:"')).toEqual([["packages", "all", "require"], '"@1.2:"']);
    expect(settingPath("alone")).toBeUndefined();
  });
});

describe("withAdditions", () => {
  it("makes a manifest, or adds to one and keeps its comments", () => {
    const list = findingList();
    expect(withAdditions(undefined, ["zlib@1.3:"], [], list)).toBe(
      "spack:\n  specs:\n    - zlib@1.3:\n  concretizer:\n    unify: true\n".replace(
        "zlib@1.3:",
        '"zlib@1.3:"',
      ),
    );
    const text = "spack:\n  # mine\n  specs:\n  - ring\n";
    expect(withAdditions(text, [], [], list)).toBe(text);
    const added = withAdditions(
      text,
      ["mpich"],
      [{ text: "config:install_missing_compilers:true", place: {} }],
      list,
    );
    expect(added).toContain("# mine");
    expect(added).toMatch(/- ring\n\s+- mpich\n/);
    expect(added).toContain("install_missing_compilers: true");
  });

  it("says what it cannot add", () => {
    const list = findingList();
    withAdditions("spack: {specs: [ring]}\n", [], [{ text: "nonsense", place: { line: 3 } }], list);
    expect(list.findings).toEqual([
      { kind: "todo", message: expect.stringContaining("nonsense"), place: { line: 3 } },
    ]);
  });
});
