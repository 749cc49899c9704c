import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shellLine, shellWord } from "../../src/util/shellQuote.ts";

/** What shells take for something else, and more. */
const character = fc.oneof(
  fc.constantFrom(...`'"\`\\$!*?[]{}()<>|&;#~ \t\n\r-=%^/aé漢`, "\u0001", "\u007f", "😀"),
  fc.string({ minLength: 1, maxLength: 1 }),
);
const word = fc.string({ unit: character, maxLength: 30 });

describe("shellLine", () => {
  it("is read back by a shell as the same words", () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 40 }), (words) => {
        const script = `set -f; p() { for a; do printf '%s\\0' "$a"; done; }; p ${words.map(shellWord).join(" ")}`;
        const read = execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\0").slice(0, -1);
        expect(read).toEqual(words.map((text) => Buffer.from(text).toString("utf8")));
      }),
      { numRuns: 10 },
    );
  });

  it("keeps plain words plain, and what looks like an assignment a program", () => {
    expect(shellLine(["a/b-c.d", "x=1,y", ""])).toBe("a/b-c.d x=1,y ''");
    expect(shellLine(["a=b", "a=b"])).toBe("'a=b' a=b");
  });
});
