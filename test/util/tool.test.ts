import { describe, expect, it } from "vitest";
import { runTool } from "../../src/util/tool.ts";

/** Timers that keep this process from ending. */
const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;

describe("a tool with a limit", () => {
  // A process whose work is done would otherwise stay until the limit: ten seconds for every build without git.
  it.each([
    ["is not there", ["/nowhere/at/all"], -1],
    ["ends", ["/bin/sh", "-c", "exit 3"], 3],
  ] as const)("leaves no timer behind when it %s", async (_, argv, status) => {
    const before = timers();
    const result = await runTool(argv, { timeout: 60_000 });
    expect(result.status).toBe(status);
    expect(timers()).toBe(before);
  });

  it("is ended at the limit", async () => {
    expect(await runTool(["/bin/sh", "-c", "exec sleep 60"], { timeout: 50 })).toMatchObject({ status: -1 });
  });
});
