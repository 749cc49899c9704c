import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchesShellPattern, parseShellPattern } from "../../src/util/shellPattern.ts";
import { runs } from "../support/staticServer.ts";

const matches = (name: string, pattern: string): boolean =>
  matchesShellPattern(name, parseShellPattern(pattern));

describe("matchesShellPattern", () => {
  it.each([
    ["*.txt", ["a.txt", ".txt"], ["a.txtx", "txt"]],
    ["a?c", ["abc", "aéc", "a😀c"], ["ac", "abbc"]],
    ["[abc]1", ["a1", "c1"], ["d1", "1", "[abc]1"]],
    ["[a-c]1", ["a1", "b1"], ["-1", "d1"]],
    ["[!a]1", ["b1", "!1"], ["a1"]],
    ["[^a]1", ["b1", "^1"], ["a1"]],
    ["[]a]", ["]", "a"], ["[", "b"]],
    ["[!]a]", ["b"], ["]", "a"]],
    ["[a-]", ["a", "-"], ["b"]],
    ["[-a]", ["a", "-"], ["b"]],
    ["[a\\]b]", ["a", "]", "b"], ["\\"]],
    ["[a\\-c]", ["a", "-", "c"], ["b"]],
    ["[[:digit:][:upper:]x]", ["5", "Q", "x"], ["q", ":", "["]],
    ["[[:nonsense:]]", [], ["n", ":"]],
    ["[[.-.]-0]", ["-", ".", "/", "0"], ["1"]],
    ["[[=a=]]", ["a"], ["=", "b"]],
    ["[c-a]", [], ["a", "b", "c"]],
    ["[é-ü]", ["ö", "é"], ["e"]],
    // No set: they stand for themselves.
    ["[a", ["[a"], ["a"]],
    ["[!", ["[!"], [""]],
    ["[]", ["[]"], ["]"]],
    ["a]", ["a]"], ["a"]],
    ["\\*\\?\\[a]", ["*?[a]"], ["xya"]],
    ["\\a\\", ["a\\"], ["\\a\\"]],
    ["", [""], ["a"]],
  ])("%s", (pattern, those, others) => {
    for (const name of those) expect(matches(name, pattern), name).toBe(true);
    for (const name of others) expect(matches(name, pattern), name).toBe(false);
  });

  it("says what is no pattern, and which name it is", () => {
    expect(parseShellPattern("a\\*b[")).toMatchObject({ isPattern: false, literal: "a*b[" });
    expect(parseShellPattern("x[1].txt")).toMatchObject({ isPattern: true, literal: "x[1].txt" });
  });

  it("any name matches itself, every character behind a backslash", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string(), (name, other) => {
        const escaped = [...name].map((character) => `\\${character}`).join("");
        const pattern = parseShellPattern(escaped);
        expect(pattern.isPattern).toBe(false);
        expect(pattern.literal).toBe(name);
        expect(matchesShellPattern(name, pattern)).toBe(true);
        expect(matchesShellPattern(other, pattern)).toBe(other === name);
      }),
    );
  });

  it("is not slow for any pattern", () => {
    expect(matches("a".repeat(20_000), `${"*a".repeat(40)}*b`)).toBe(false);
    expect(matches("a".repeat(5000), `${"[a-z]*".repeat(500)}`)).toBe(true);
  });

  it.skipIf(!runs("bash", ["--version"]))("agrees with a shell", () => {
    const characters = [
      "a",
      "b",
      "c",
      "-",
      "]",
      "[",
      "!",
      "^",
      "*",
      "?",
      "\\",
      ".",
      ":",
      "[:alpha:]",
      "[a-c]",
      "[!b]",
    ];
    const pattern = fc.array(fc.constantFrom(...characters), { minLength: 1, maxLength: 7 });
    const name = fc.array(fc.constantFrom("a", "b", "c", "-", "]", "[", "!", "^", "*", "\\", ".", ":"), {
      minLength: 1,
      maxLength: 4,
    });
    const cases = fc.sample(fc.tuple(pattern, name), { numRuns: 4000, seed: 20_261_126 });
    const words = cases.map(([pattern, name]) => [pattern.join(""), name.join("")] as const);
    const script = `while IFS= read -r -d '' pattern && IFS= read -r -d '' name; do
      case $name in $pattern) echo 1 ;; *) echo 0 ;; esac
    done`;
    const said = spawnSync("bash", ["-c", script], {
      input: words.map(([pattern, name]) => `${pattern}\0${name}\0`).join(""),
      encoding: "utf8",
      env: { LC_ALL: "C" },
    });
    const answers = said.stdout.trim().split("\n");
    expect(answers).toHaveLength(words.length);
    const differences = words.flatMap(([pattern, name], at) => {
      const own = matches(name, pattern) ? "1" : "0";
      return own === answers[at] ? [] : [`${pattern}  ${name}: bash ${answers[at]}`];
    });
    expect(answers.filter((one) => one === "1").length).toBeGreaterThan(100);
    expect(differences).toEqual([]);
  });
});
