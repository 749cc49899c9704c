import { describe, expect, test } from "vitest";
import { commandFailure, OutputTail } from "../../../src/pipeline/epilogue/commandFailure.ts";

function said(text: string): OutputTail {
  const tail = new OutputTail();
  // In two parts, as pipes give it.
  const bytes = Buffer.from(text);
  tail.add(bytes.subarray(0, 5));
  tail.add(bytes.subarray(5));
  return tail;
}

const offline = { network: "none", isAllowed: false } as const;

describe("commandFailure", () => {
  test("says what the command said last of an error", () => {
    const error = commandFailure(2, said("working\nerror: no such file\ngood bye\n"), offline);
    expect(error.code).toBe("PROCESS_FAILED");
    expect(error.message).toBe("the command ended with status 2: error: no such file");
    expect(error.hint).toBe("its last output: working | error: no such file | good bye");
  });

  test("names the option that gives it a network", () => {
    const text = "Temporary failure in name resolution\n";
    expect(commandFailure(1, said(text), offline).hint).toContain("--epilogue-network");
    expect(commandFailure(1, said(text), { network: "host", isAllowed: true }).hint).not.toContain(
      "--epilogue-network",
    );
  });

  test("names the package list of the base where there is no apt", () => {
    const error = commandFailure(127, said("/bin/sh: 1: apt-get: not found\n"), offline);
    expect(error.hint).toContain("base: packages:");
  });
});

test("OutputTail keeps the end, without what engines add", () => {
  const tail = said(`${"first ".repeat(20_000)}\n\nlast\r\nError: exit status 3\n`);
  expect(tail.lines(1)).toEqual(["last"]);
  expect(tail.lines(5).join("").length).toBeLessThan(70_000);
});
