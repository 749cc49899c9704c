import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { terminalReporter } from "../../../src/cli/report/terminalReporter.ts";
import type { WorkEvent } from "../../../src/util/events.ts";
import { makeScreen } from "../../support/screen.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function display(columns: number, color = false) {
  const screen = makeScreen(columns);
  const reporter = terminalReporter(screen.stream, color);
  return {
    lines: screen.lines,
    close: () => reporter.close(),
    /** Events, and after them a while. */
    show: (milliseconds: number, ...events: readonly WorkEvent[]) => {
      for (const event of events) reporter.emit(event);
      vi.advanceTimersByTime(milliseconds);
    },
  };
}

const container = (position: number, total: number, name = `amd64/number-${position}`): WorkEvent => ({
  type: "container-start",
  container: name,
  position,
  total,
});
const over = (outcome: "done" | "failed", name = "amd64/number-1"): WorkEvent => ({
  type: "container-end",
  container: name,
  outcome,
});
const install = (total: number): WorkEvent => ({
  type: "stage",
  stage: "install-packages",
  total,
  counts: "install",
});
const begin = (id: string, bytes: number): WorkEvent => ({
  type: "task-start",
  id,
  kind: "install",
  label: `${id}@1.0`,
  bytes,
});
const progress = (id: string, bytes: number): WorkEvent => ({ type: "task-progress", id, bytes });
const end = (id: string, outcome: "done" | "reused" = "done"): WorkEvent => ({
  type: "task-end",
  id,
  outcome,
});

describe("the live display", () => {
  it("says how long it will take from the first second on, by the bytes of the first package", () => {
    const { lines, show } = display(80);
    show(80, container(1, 1), install(4), begin("gcc", 1000));
    expect(lines()).toEqual([
      "amd64/number-1",
      "Installing packages  0 of 4",
      `  ${"░".repeat(24)} installing gcc@1.0  0 B of 1.0 kB`,
    ]);
    show(880, progress("gcc", 500));
    // Half a package in 0.96 s, three and a half to go.
    expect(lines()[1]).toBe("Installing packages  0 of 4, about 6.7 s left");
    show(960, progress("gcc", 500), end("gcc"), begin("zlib", 10));
    expect(lines()[1]).toBe("Installing packages  1 of 4, about 5.8 s left");
  });

  it("does not take what was known already for a measure", () => {
    const { lines, show } = display(80);
    show(2000, install(4), begin("a", 10), end("a", "reused"), begin("b", 10), end("b", "reused"));
    expect(lines()[0]).toBe("Installing packages  2 of 4, 2 reused");
  });

  it("has an overall line and the container in every stage, where there are several", () => {
    const { lines, show, close } = display(80);
    show(100, container(1, 3), install(1), begin("a", 10));
    expect(lines().slice(0, 2)).toEqual(["0 of 3 containers", "amd64/number-1  Installing packages  0 of 1"]);
    show(59_900, end("a"));
    show(0, over("done"));
    show(100, container(2, 3), { type: "stage", stage: "write-image" });
    expect(lines()).toEqual([
      "amd64/number-1  Installing packages  1 of 1 1 min 0 s",
      "amd64/number-1  1 of 3  done 1 min 0 s",
      "1 of 3 containers, about 2 min 0 s left",
      "amd64/number-2  Writing the image",
    ]);
    show(59_900, over("failed"), container(3, 3));
    expect(lines().at(-1)).toBe("2 of 3 containers, 1 failed, about 30 s left");
    show(10, over("done", "amd64/number-3"));
    close();
    expect(lines().map((line) => line.replace(/ \d.*/, ""))).toEqual([
      "amd64/number-1  Installing packages ",
      "amd64/number-1 ",
      "amd64/number-2 ",
      "amd64/number-3 ",
    ]);
  });

  it.each([40, 80, 120])("never breaks a line at %i columns, and takes itself away", (columns) => {
    const { lines, show, close } = display(columns, true);
    const long = "amd64/a-container-with-quite-a-long-name-for-a-narrow-terminal";
    show(
      100,
      container(1, 2, long),
      install(9),
      ...Array.from({ length: 9 }, (_, at) => begin(`py-package-with-a-long-name-${at}`, 123_456_789)),
    );
    for (let at = 0; at < 9; at++) show(100, progress(`py-package-with-a-long-name-${at}`, 100_000_000));
    const shown = lines();
    // Overall, stage, six tasks and how many more there are.
    expect(shown).toHaveLength(9);
    expect(shown.at(-1)).toBe("  and 3 more");
    for (const line of shown) expect(line.length).toBeLessThan(columns);
    show(100, over("failed", long));
    close();
    expect(lines()).toHaveLength(2);
    for (const line of lines()) expect(line).toMatch(/^amd64\/a-con.* \d\.\d s$/);
    expect(lines()[1]).toContain("  failed ");
  });

  it("keeps what was said above itself", () => {
    const { lines, show } = display(80);
    show(100, install(2), begin("a", 10), { type: "warning", code: "NOTICE", message: "mind the gap" });
    expect(lines()[0]).toBe("warning  mind the gap");
    expect(lines()[1]).toBe("Installing packages  0 of 2");
  });
});
