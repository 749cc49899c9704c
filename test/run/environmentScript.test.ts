import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignmentScript } from "../../src/run/namespaceScripts.ts";

describe("environmentScript", () => {
  it("sets exactly the values in a real shell", () => {
    const name = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/).map((text) => `T_${text}`);
    const value = fc.string({ unit: "grapheme", maxLength: 40 }).filter((text) => !text.includes("\0"));
    const nasty = fc.constantFrom(
      "'",
      "\n",
      "'\n'",
      "$(id)",
      "`id`",
      "\\",
      "\\'",
      '"',
      "a'b\"c",
      " ",
      "",
      "!",
      "é",
    );
    fc.assert(
      fc.property(fc.dictionary(name, fc.oneof(value, nasty), { maxKeys: 5 }), (values) => {
        const { text, skipped } = assignmentScript(new Map(Object.entries(values)));
        expect(skipped).toEqual([]);
        const output = execFileSync("/bin/sh", ["-c", 'eval "$1"; exec env -0', "sh", text], {
          encoding: "utf8",
          env: { PATH: "/usr/bin:/bin" },
        });
        const found = output.split("\0").filter((line) => line.startsWith("T_"));
        expect(found.sort()).toEqual(
          Object.entries(values)
            .map(([key, item]) => `${key}=${item}`)
            .sort(),
        );
      }),
      { numRuns: 40 },
    );
  });

  it("does not end a shell whose own variables are among them", () => {
    const { text } = assignmentScript(
      new Map([
        ["UID", "5"],
        ["PPID", "it's"],
        ["AFTER", "1"],
      ]),
    );
    for (const shell of ["sh", "bash"]) {
      const args = [...(shell === "bash" ? ["--posix"] : []), "-c", 'eval "$1"; echo "$AFTER"', "sh", text];
      expect(execFileSync(shell, args, { encoding: "utf8" })).toBe("1\n");
    }
  });

  it("leaves out what is no name for a shell", () => {
    const { text, skipped } = assignmentScript(
      new Map([
        ["A.B", "1"],
        ["1X", "2"],
        ["BASH_FUNC_x%%", "() {"],
        ["OK", "3"],
      ]),
    );
    expect(text).toBe("export OK='3'\n");
    expect(skipped).toEqual(["A.B", "1X", "BASH_FUNC_x%%"]);
  });
});
