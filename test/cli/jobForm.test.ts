import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { askForJob, splitWords } from "../../src/cli/jobForm.ts";
import { parseResource } from "../../src/hpc/resourceFields.ts";

async function answer(lines: readonly string[], given = {}, command: readonly string[] = []) {
  const input = new PassThrough();
  const output = new PassThrough();
  let shown = "";
  output.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
  });
  input.end(lines.map((line) => `${line}\n`).join(""));
  const answers = await askForJob(
    { site: { nodes: 2, partition: "normal" }, given, command },
    { input, output },
  );
  return { answers, shown };
}

describe("askForJob", () => {
  it("asks for what is not given, takes an empty answer for the site's, and explains what is wrong", async () => {
    const { answers, shown } = await answer(["proj1", "", "", "", "zero", "16", "", "", "", "ring 'a b'"], {
      tasksPerNode: 128,
    });
    expect(answers).toEqual({
      resources: { tasksPerNode: 128, account: "proj1", nodes: 16 },
      command: ["ring", "a b"],
    });
    expect(shown).toContain("Partition [normal]: ");
    expect(shown).toContain('--nodes: "zero" must be a whole number of at least 1');
    expect(shown).not.toContain("Tasks (ranks)");
  });

  it("keeps a command that is given, and ends with the input", async () => {
    const { answers, shown } = await answer([], {}, ["ring"]);
    expect(answers).toEqual({ resources: {}, command: ["ring"] });
    expect(shown).not.toContain("Command");
  });
});

describe("splitWords", () => {
  it.each([
    ["a  b", ["a", "b"]],
    [`'a b' "c 'd" e\\ f`, ["a b", "c 'd", "e f"]],
    ['""', [""]],
    ["$HOME *", ["$HOME", "*"]],
    ["", []],
  ])("%s", (text, words) => {
    expect(splitWords(text)).toEqual(words);
  });
});

describe("parseResource", () => {
  it("goes by the rules of site files", () => {
    expect(parseResource("nodes", "16")).toBe(16);
    expect(parseResource("time", "1-02:00:00")).toBe("1-02:00:00");
    expect(parseResource("constraint", "mc&[a|b]")).toBe("mc&[a|b]");
    for (const [key, text] of [
      ["nodes", "0"],
      ["nodes", "1.5"],
      ["time", "soon"],
      ["account", "a b"],
      ["memory", "much"],
    ] as const)
      expect(() => parseResource(key, text)).toThrow(`--${key}`);
  });
});
