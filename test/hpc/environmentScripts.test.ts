import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyEnvironmentScripts, environmentScriptPattern } from "../../src/hpc/environmentScripts.ts";

const applied = (script: string, ...variables: readonly string[]): readonly string[] =>
  applyEnvironmentScripts([script], variables);

describe("applyEnvironmentScripts", () => {
  it.each([
    ['export A="a b"', ["A=a b"]],
    ["  export A='a $B' B=2 # more", ["A=a $B", "B=2"]],
    ['A="x:$PATH:${NONE}"', ["A=x:/bin:"]],
    // As Apptainer writes down the variables of an OCI image.
    [
      'export PATH="${PATH:-"/usr/bin:/bin"}"\nexport LIB="${LIB:-"/a \\"b\\""}"',
      ["PATH=/bin", 'LIB=/a "b"'],
    ],
    ['A="${PATH:+$PATH:}/lib"', ["A=/bin:/lib"]],
    ["A=1; B=2 & C=3", ["A=1"]],
  ])("reads %s", (script, expected) => {
    const result = applied(script, "PATH=/bin");
    expect(result).toEqual(expect.arrayContaining([...expected]));
  });

  it.each([
    "A=`date`",
    'A="$(date)"',
    "A=${B%/*}",
    "A=$1",
    'A="open',
    "A='open",
    "A=1 command",
    "command A=1",
    'if [ -n "$X" ]; then',
    "A=\\",
    `A=${"${B:-".repeat(100)}x`,
  ])("passes over %s", (script) => {
    expect(applied(script)).toEqual([]);
  });

  it("applies scripts in order, over what the configuration says", () => {
    expect(applyEnvironmentScripts(["A=1\nB=$A", "A=$B$C"], ["C=3", "nonsense"])).toEqual([
      "C=3",
      "A=13",
      "B=1",
    ]);
  });

  it("gives the values that a shell gives", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "$A",
        "${A}",
        "${B:-x y}",
        '${A:-"q"}',
        "${A:+z}",
        "\\$",
        '\\"',
        "\\\\",
        "a",
        " ",
        "é",
        "/",
      ),
      fc.constantFrom("'", '"', ":", "=", "*", "~"),
    );
    const words = fc.array(piece, { maxLength: 8 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(fc.array(words, { minLength: 1, maxLength: 20 }), (values) => {
        for (const value of values) {
          const line = `X="${value}"`;
          const [found] = applied(line, "A=one").slice(1);
          if (found === undefined) continue;
          // What is understood is what a shell makes of it.
          const said = spawnSync("sh", ["-c", `${line}\nprintf %s "$X"`], {
            encoding: "utf8",
            env: { A: "one", LC_ALL: "C.UTF-8" },
          });
          expect(said.stdout, line).toBe(found.slice(2));
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe("environmentScriptPattern", () => {
  it("takes the image's own scripts", () => {
    const own = ["10-docker2singularity.sh", "90-environment.sh", "91-environment.sh"];
    for (const name of own) expect(`.singularity.d/env/${name}`).toMatch(environmentScriptPattern);
    for (const name of ["01-base.sh", "99-base.sh", "95-apps.sh", "90-environment.sh.bak"])
      expect(`.singularity.d/env/${name}`).not.toMatch(environmentScriptPattern);
  });
});
