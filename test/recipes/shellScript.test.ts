import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readShellScript } from "../../src/recipes/shellScript.ts";

const before = new Map([["PATH", "/usr/bin:/bin"]]);

/** The exported variables after a script but `PATH` as it was, or what is not understood. */
function read(text: string): Record<string, string> | string {
  const effect = readShellScript(text, before);
  if ("reason" in effect) return `${effect.line}: ${effect.reason}`;
  const changed = [...effect.exported].filter(([name, value]) => before.get(name) !== value);
  return Object.fromEntries(changed);
}

describe("what is understood", () => {
  test("assignments are of the environment once they are exported", () => {
    expect(read("A=1\nexport B=2 C=3\nD=4; export D # it\nexport E; E=5\nF=6 G=7\nexport G")).toEqual({
      B: "2",
      C: "3",
      D: "4",
      E: "5",
      G: "7",
    });
  });

  test("quotes, escapes and lines that go on", () => {
    expect(read(`export A='a $B "c"' B="d 'e' \\$f \\"g\\\\ \\h" C=i\\ j\\\nk D=l"m"'n'`)).toEqual({
      A: 'a $B "c"',
      B: "d 'e' $f \"g\\ \\h",
      C: "i jk",
      D: "lmn",
    });
  });

  test("values of variables, also where there is none", () => {
    expect(read('export P=/x:$P\nexport PATH="/y${Q:+:$Q}:$PATH" R=${Q:-"z z"}')).toEqual({
      P: "/x:",
      PATH: "/y:/usr/bin:/bin",
      R: "z z",
    });
    expect(read('export E=\nexport F=${E-a} G=${E:-b}${E+c}${E:+d} H="${N-e f}"')).toEqual({
      E: "",
      F: "",
      G: "bc",
      H: "e f",
    });
  });

  test("`unset`, `+=`, empty scripts and comments", () => {
    expect(read("export A=1 B=2\nunset A N\nB+=3:$B\n")).toEqual({ B: "23:2" });
    expect(readShellScript("unset PATH", before)).toEqual({ exported: new Map() });
    for (const text of ["", "\n\n", "#!/bin/bash\n  # nothing", "# a \\\n# b"])
      expect(read(text)).toEqual({});
  });
});

test.each([
  ["A=1\nA=$(id)", "2: `$(id)`"],
  ["A=`id`", "1: ``id``"],
  ["\n\nif true; then", "3: `if true; then`"],
  [". other.sh", "1: `. other.sh`"],
  ["A=1 command", "1: `command`"],
  ["export -n A", "1: `-n A`"],
  ["unset -f A", "1: `-f A`"],
  ["A=(1 2)", "1: `(1 2)`"],
  ["export A={1,2}", "1: `{1,2}`"],
  ["A=~/x", "1: `~/x`"],
  ["A=/x:~", "1: `~`"],
  ["A=$1", "1: `$1`"],
  ["A=${B%x}", "1: `${B%x}`"],
  ["A=1 && B=2", "1: `&& B=2`"],
  ["A=1 | B=2", "1: `| B=2`"],
  ["A=1;;", "1: `;`"],
  ["A=1 >/x", "1: `>/x`"],
  ["export A=$HOME", "1: the value of `HOME`, which depends on who runs the script"],
  ["export A=${B:-$PWD}", "1: the value of `PWD`, which depends on who runs the script"],
  ["UID=0", "1: a change of `UID`, which depends on who runs the script"],
  ["A='x", "1: a quote without an end"],
  ['A="x\n\n', "3: a quote without an end"],
  ["A=x\\", "1: a backslash at the end"],
  ["A=1\r\n", "1: a control character, or one that is not UTF-8"],
])("%j is not understood", (text, problem) => {
  expect(read(text)).toBe(problem);
});

test("values that double end", () => {
  expect(read(`A=${"x".repeat(1000)}\n${"A=$A$A\n".repeat(40)}`)).toBe("10: values that are too long");
});

test("deep nesting ends", () => {
  expect(read(`A=${"${A:-".repeat(50_000)}`)).toMatch(/^1: `\$\{A:-/);
});

test("whatever a script has, there is an answer", () => {
  const pieces = fc.constantFrom(
    ..."AB=$'\"\\{}:-+#;\n \t~`()&|<>!*".split(""),
    "export ",
    "unset ",
    "${",
    "é",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
      const effect = readShellScript(parts.join(""), before);
      if ("reason" in effect) expect(effect.line).toBeGreaterThan(0);
    }),
    { numRuns: 2000 },
  );
});

/** Scripts near the part that is understood. */
const scripts = (() => {
  const name = fc.constantFrom("A", "B_1", "LIBPATH", "PATH");
  const plain = fc.stringMatching(/^[a-z0-9/:.=*#?,%@^+-]{0,6}$/);
  const inQuotes = fc.stringMatching(/^[a-z '~;&|(){}<>#!:]{0,6}$/);
  const simple = name.chain((one) => fc.constantFrom(`$${one}`, `\${${one}}`));
  const chosen = fc
    .tuple(name, fc.constantFrom(":-", ":+", "-", "+"), plain, simple)
    .map(([one, operator, text, other]) => `\${${one}${operator}${text}${other}}`);
  const expansion = fc.oneof(simple, chosen);
  const double = fc
    .array(fc.oneof(inQuotes, expansion, fc.constantFrom("\\$", '\\"', "\\\\", "\\x", "\\\n")), {
      maxLength: 4,
    })
    .map((parts) => `"${parts.join("")}"`);
  const single = fc.stringMatching(/^[a-z "$\\~;]{0,6}$/).map((text) => `'${text}'`);
  const value = fc
    .array(
      fc.oneof(plain, expansion, double, single, fc.constantFrom("\\ ", "\\$", "\\\n", "\\~", "~", "{a,b}")),
      {
        maxLength: 5,
      },
    )
    .map((parts) => parts.join(""));
  const assignment = fc
    .tuple(name, fc.constantFrom("=", "=", "+="), value)
    .map(([one, operator, text]) => `${one}${operator}${text}`);
  const words = (one: fc.Arbitrary<string>) =>
    fc.array(one, { minLength: 1, maxLength: 3 }).map((all) => all.join(" "));
  const command = fc.oneof(
    words(assignment),
    words(fc.oneof(assignment, name)).map((text) => `export ${text}`),
    words(name).map((text) => `unset ${text}`),
    fc.constantFrom("# it's a comment", ""),
  );
  const end = fc.constantFrom("\n", "; ", ' # "c\n', "  \n\n");
  return fc
    .array(fc.tuple(command, end), { maxLength: 6 })
    .map((lines) => lines.map((line) => line.join("")).join(""));
})();

test.skipIf(!existsSync("/bin/bash"))("Bash leaves the same variables behind", () => {
  const samples = fc.sample(scripts, { numRuns: 400, seed: 11 });
  const understood = samples.flatMap((text) => {
    const effect = readShellScript(text, before);
    return "reason" in effect ? [] : [{ text, exported: effect.exported }];
  });
  expect(understood.length).toBeGreaterThan(100);
  // One Bash for all: each script in a subshell, that has `env` by its path.
  const driver = "for script; do (eval \"$script\"; printf 'D\\0'; /usr/bin/env -0); printf '\\1\\0'; done";
  const { stdout, stderr } = spawnSync(
    "/bin/bash",
    ["--norc", "-c", driver, "x", ...understood.map(({ text }) => text)],
    {
      env: Object.fromEntries(before),
      encoding: "utf8",
      timeout: 60_000,
      maxBuffer: 2 ** 26,
    },
  );
  expect(stderr).toBe("");
  const answers = stdout.split("\x01\0").slice(0, -1);
  expect(answers).toHaveLength(understood.length);
  for (const [index, { text, exported }] of understood.entries()) {
    const lines = (answers[index] ?? "").replace(/^[\s\S]*?D\0/, "").split("\0");
    const bash = lines.filter((line) => /^(?:A|B_1|LIBPATH|PATH)=/.test(line)).sort();
    const ours = [...exported].map(([name, value]) => `${name}=${value}`).sort();
    expect(ours, JSON.stringify(text)).toEqual(bash);
  }
});
