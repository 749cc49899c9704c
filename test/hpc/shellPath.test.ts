import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shellPath } from "../../src/hpc/shellPath.ts";

function readBack(...texts: readonly string[]): readonly string[] {
  return execFileSync("sh", ["-c", `printf '%s\\0' ${texts.map(shellPath).join(" ")}`], {
    encoding: "utf8",
    env: { PATH: process.env.PATH, SCRATCH: "/scratch/a  b", X: "$(id)`id`" },
  })
    .split("\0")
    .slice(0, -1);
}

/** What shells take for something else, and more. */
const character = fc.oneof(
  fc.constantFrom(...`'"\`\\$!*?[]{}()<>|&;#~ \t\n\r-=%^/aé漢`, "\u0001", "\u007f", "😀"),
  fc.string({ minLength: 1, maxLength: 1 }),
);

describe("shellPath", () => {
  it("fills in variables and nothing else", () => {
    expect(
      readBack("$SCRATCH/data", `\${SCRATCH}/d a"t'a`, "/a/$X/`id`/$(id)/\\n!x", "/cost$/5$", "/$1/$$/$-"),
    ).toEqual([
      "/scratch/a  b/data",
      `/scratch/a  b/d a"t'a`,
      "/a/$(id)`id`/`id`/$(id)/\\n!x",
      "/cost$/5$",
      "/$1/$$/$-",
    ]);
  });

  it("keeps everything without a variable as it is", () => {
    const text = fc.string({ unit: character, maxLength: 30 }).filter((one) => !/\$[A-Za-z_{]/.test(one));
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 50 }), (paths) => {
        expect(readBack(...paths)).toEqual(paths.map((path) => Buffer.from(path).toString("utf8")));
      }),
      { numRuns: 10 },
    );
  });
});
