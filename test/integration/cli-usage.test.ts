import { existsSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { schemaNames } from "../../src/definitions/schemaNames.ts";
import { makeWorkplace, type Workplace } from "../support/cli.ts";

let work: Workplace;
beforeAll(() => {
  work = makeWorkplace("base: { scratch: true }\n");
});
afterAll(() => work.remove());

describe("a command line that cannot be read", () => {
  it.each([
    ["buidl", "unknown command 'buidl'", "did you mean build?"],
    ["list --nosuch", "unknown option '--nosuch'", "run it with --help to see how to use it"],
    ["build --arch riscv", "option '--arch <arch>' argument 'riscv' is invalid", undefined],
    ["build --jobs x", "not a whole number of at least 1", undefined],
    ["job image", "required option '-s, --site <name>' not specified", undefined],
    ["unpack --into x", "missing required argument 'path'", undefined],
    ["cache lsit", "unknown command 'lsit'", "did you mean list?"],
    ["schema nosuch", "is invalid", undefined],
    ["", "the command is missing", "--help lists them"],
    ["cache", "the command is missing", "--help lists them"],
  ])(
    "is an error in JSON where that is asked for, wherever the option stands: %s",
    async (line, said, hint) => {
      const words = line.split(" ").filter((word) => word !== "");
      for (const args of [
        ["--json", ...words],
        [...words, "--json"],
      ]) {
        const { status, stdout } = await work.run(args);
        expect(status).toBe(2);
        const [error] = (
          JSON.parse(stdout) as { errors: readonly [{ code: string; message: string; hint: string }] }
        ).errors;
        expect(error).toMatchObject({ code: "USAGE", message: expect.stringContaining(said) });
        if (hint !== undefined) expect(error.hint).toBe(hint);
      }
      const plain = await work.run(words);
      expect(plain).toMatchObject({ status: 2, stdout: "" });
      expect(plain.stderr).not.toMatch(/^\{/);
    },
  );
});

describe("storage", () => {
  it("shows what is kept, and removes what is not in use when that is asked for", async () => {
    const folder = join(work.cacheHome, "spacktainers/facts");
    mkdirSync(folder, { recursive: true });
    const [old, young] = [join(folder, "old.json"), join(folder, "young.json")];
    for (const path of [old, young]) writeFileSync(path, "{}");
    const then = new Date(Date.now() - 40 * 86_400_000);
    utimesSync(old, then, then);
    const facts = async (...args: readonly string[]) => {
      const { status, stdout } = await work.run(["storage", ...args, "--json"]);
      expect(status).toBe(0);
      const result = JSON.parse(stdout) as { parts: readonly { name: string }[]; removed?: object };
      return { part: result.parts.find(({ name }) => name === "facts"), removed: result.removed };
    };
    expect(await facts()).toMatchObject({ part: { items: 2, bytes: 4, unused: { items: 0 } } });
    expect(await facts("--unused", "30")).toMatchObject({ part: { unused: { items: 1, bytes: 2 } } });
    expect(existsSync(old)).toBe(true);
    expect(await facts("facts", "--unused", "30", "--delete")).toMatchObject({
      removed: { items: 1, bytes: 2 },
    });
    expect([old, young].map((path) => existsSync(path))).toEqual([false, true]);
  });

  it.each([
    [["--delete"], "--delete needs --unused"],
    [["rotfs"], "there is no part `rotfs`"],
    [["--unused", "-1"], "not a number of days"],
  ])("refuses what makes no sense: %j", async (args, said) => {
    const { status, stderr } = await work.run(["storage", ...args]);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(said) });
  });
});

describe("schema", () => {
  it.each(schemaNames)("prints what editors need: %s", async (name) => {
    const { status, stdout } = await work.run(["schema", name]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout).$id).toContain(`${name}.json`);
  });

  it("is that of spacktainers.yaml by default", async () => {
    expect((await work.run(["schema"])).stdout).toBe((await work.run(["schema", "spacktainers"])).stdout);
  });
});
