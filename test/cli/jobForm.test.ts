import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { askForJob, splitWords } from "../../src/cli/jobForm.ts";
import { parseResource } from "../../src/hpc/resourceFields.ts";

async function answer(
  lines: readonly string[],
  given = {},
  command: readonly string[] = [],
  offerSubmit = false,
) {
  const input = new PassThrough();
  const output = new PassThrough();
  let shown = "";
  output.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
  });
  input.end(lines.map((line) => `${line}\n`).join(""));
  const answers = await askForJob(
    { site: { nodes: 2, partition: "normal" }, given, command, offerSubmit },
    { input, output },
  ).catch((error: unknown) => error);
  return { answers, shown };
}

const empty = Array<string>(9).fill("");

describe("askForJob", () => {
  it("asks for what is not given, takes an empty answer for the site's, and explains what is wrong", async () => {
    const { answers, shown } = await answer(
      ["proj1", "", "", "", "zero", "16", "", "", "", "", "ring 'a b'"],
      { tasksPerNode: 128 },
    );
    expect(answers).toEqual({
      resources: { tasksPerNode: 128, account: "proj1", nodes: 16 },
      command: ["ring", "a b"],
      submit: false,
    });
    expect(shown).toContain("Partition [normal]: ");
    expect(shown).toContain('--nodes: "zero" must be a whole number of at least 1');
    expect(shown.match(/Command in the container/g)).toHaveLength(2);
    expect(shown).not.toContain("Tasks (ranks)");
  });

  it("keeps a command that is given", async () => {
    const { answers, shown } = await answer(empty, {}, ["ring"]);
    expect(answers).toEqual({ resources: {}, command: ["ring"], submit: false });
    expect(shown).not.toContain("Command");
    expect(shown).not.toContain("Submit");
  });

  it("offers to submit, and takes only yes for it", async () => {
    const submits = async (...lines: readonly string[]) =>
      (await answer([...empty, ...lines], {}, ["ring"], true)) as {
        readonly answers: { readonly submit: boolean };
        readonly shown: string;
      };
    expect((await submits("")).answers.submit).toBe(false);
    expect((await submits("No")).answers.submit).toBe(false);
    const { answers, shown } = await submits("sure", "y");
    expect(answers.submit).toBe(true);
    expect(shown).toContain("  the answer is yes or no\n");
  });

  it("says nothing when its input ends, wherever that is", async () => {
    for (const lines of [[], ["proj1"], empty, empty.slice(1)])
      expect((await answer(lines, {}, ["ring"], true)).answers).toMatchObject({ code: "INTERRUPTED" });
    expect((await answer(empty)).answers).toMatchObject({ code: "INTERRUPTED" });
  });

  it("ends when it is told to", async () => {
    const reason = new Error("told");
    const abort = new AbortController();
    const answers = askForJob(
      { site: {}, given: {}, command: [], offerSubmit: false },
      { input: new PassThrough(), output: new PassThrough().resume(), signal: abort.signal },
    );
    abort.abort(reason);
    await expect(answers).rejects.toBe(reason);
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
