import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ociEnvironmentScript, ociRunscript } from "../../src/sif/ociScripts.ts";
import { commandExists } from "../support/commandExists.ts";

const shells = ["dash", "bash", "busybox"].filter(commandExists);
// Without NUL, which no argument can have, and no lone surrogates, which Node would replace.
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom("'", '"', "$", "`", "\\", " ", "\n", "*", "!", "-", "é", "a", "B"),
      fc.constant("$HOME"),
    ),
    {
      maxLength: 8,
    },
  )
  .map((parts) => parts.join(""));

function run(shell: string, script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const command = shell === "busybox" ? ["sh", "-c"] : ["-c"];
  const { stdout, stderr, status } = spawnSync(shell, [...command, script, "script", ...args], {
    env: { PATH: process.env.PATH, HOME: "/the home", ...env },
    encoding: "utf8",
  });
  return { words: stdout.split("\0").slice(0, -1), stderr, status };
}

describe("ociEnvironmentScript", () => {
  it("sets every value as it is, in any shell", () => {
    fc.assert(
      fc.property(text, fc.constantFrom(...shells), (value, shell) => {
        const { script, skipped } = ociEnvironmentScript([`VALUE=${value}`, "PATH=/bin:/usr/bin"]);
        expect(skipped).toEqual([]);
        const result = run(shell, `${script}printf '%s\\0' "$VALUE" "$PATH"`, [], {});
        expect(result.words).toEqual([value, "/bin:/usr/bin"]);
      }),
      { numRuns: 150 },
    );
  });

  it("leaves alone what is set already, but for PATH, and names what no shell can set", () => {
    const { script, skipped } = ociEnvironmentScript([
      "A=image",
      "B=image",
      "PATH=/image",
      "a.b=1",
      "C",
      "=x",
    ]);
    expect(skipped).toEqual(["a.b", ""]);
    const env = { A: "mine", PATH: "/bin:/usr/bin", B: "" };
    expect(run("sh", `${script}printf '%s\\0' "$A" "$B" "$PATH" "\${C-unset}"`, [], env).words).toEqual([
      "mine",
      "image",
      "/image",
      "",
    ]);
  });
});

describe("ociRunscript", () => {
  const printer = ["/usr/bin/env", "printf", "%s\\0"];

  it("passes entrypoint, command and arguments on, arguments as between double quotes", () => {
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 3 }),
        fc.array(text, { maxLength: 3 }),
        fc.constantFrom(...shells),
        (fixed, command, shell) => {
          const script = ociRunscript([...printer, "entry", ...fixed], command);
          expect(run(shell, script, []).words).toEqual(["entry", ...fixed, ...command]);
        },
      ),
      { numRuns: 100 },
    );
    const script = ociRunscript([...printer, "entry"], ["cmd"]);
    const args = ['say "hi"', "$HOME", "\\$HOME", "it's", "a\\", "$(echo x)", "", "-n", "*", "a  b", '\\"'];
    for (const shell of shells) {
      expect(run(shell, script, args).words.slice(1)).toEqual([
        ...['say "hi"', "/the home", "$HOME", "it's", "a\\", "x", "", "-n", "*", "a  b", '"'],
      ]);
      for (const name of ["APPTAINER_NO_EVAL", "SINGULARITY_NO_EVAL"])
        expect(run(shell, script, args, { [name]: "1" }).words.slice(1)).toEqual(args);
    }
  });

  it("never runs what stands between quotes in arguments", () => {
    fc.assert(
      fc.property(text, fc.constantFrom(...shells), (word, shell) => {
        fc.pre(!/[$`]/.test(word));
        const script = ociRunscript(printer, []);
        const expected = word.replace(/\\([\\"$`])/g, "$1").replace(/\\\n/g, "");
        expect(run(shell, script, [word]).words).toEqual([expected]);
      }),
      { numRuns: 150 },
    );
  });

  it("runs arguments without an entrypoint, and says so when there is nothing to run", () => {
    expect(run("sh", ociRunscript([], ["false"]), ["/usr/bin/env", "printf", "%s\\0", "x"]).words).toEqual([
      "x",
    ]);
    expect(run("sh", ociRunscript(["/usr/bin/env", "printf", "%s\\0"], []), []).status).toBe(0);
    const nothing = run("sh", ociRunscript([], []), []);
    expect(nothing).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no entrypoint and no command/),
    });
  });
});
