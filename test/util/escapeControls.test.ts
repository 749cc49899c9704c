import { describe, expect, it } from "vitest";
import { printable } from "../../src/archive/names.ts";
import { errorLines } from "../../src/cli/errorText.ts";
import { openReporter } from "../../src/cli/report/openReporter.ts";
import { SpacktainersError } from "../../src/util/errors.ts";
import { escapeControls, escapeControlsInLine } from "../../src/util/escapeControls.ts";
import type { WorkEvent } from "../../src/util/events.ts";

/** Clears the screen; sets the title; the same in one byte; turns the direction; goes back to the line's start. */
const hostile = "a\u001b[2J\u001b]0;x\u0007\u009b2J\u202eb\rc\u007f";
const harmful = /(?![\n\t])\p{Cc}|\u202e/u;

describe("foreign text on a terminal", () => {
  it("is escaped, and nothing else is", () => {
    expect(escapeControls(hostile)).toBe("a\\u001b[2J\\u001b]0;x\\u0007\\u009b2J\\u202eb\\u000dc\\u007f");
    const fine = "zlib → été\tx\ny 漢字 👍";
    expect(escapeControls(fine)).toBe(fine);
    expect(escapeControlsInLine("a\nb\tc")).toBe("a\\nb c");
    expect(JSON.parse(escapeControls(JSON.stringify({ hostile })))).toEqual({ hostile });
    expect(printable(hostile)).not.toMatch(harmful);
  });

  it("is escaped in errors", () => {
    const error = new SpacktainersError("IO", hostile, { place: { file: `${hostile}\nx` }, hint: hostile });
    const lines = errorLines(error, false);
    expect(lines).not.toMatch(harmful);
    expect(lines.split("\n")).toHaveLength(2);
  });

  it.each([
    ["plain", {}],
    ["live", { isTTY: true, columns: 200 }],
    ["quiet", {}],
    ["json", {}],
  ])("is escaped in %s reports", (kind, terminal) => {
    let written = "";
    const stream = {
      ...terminal,
      write: (text: string) => (written += text),
    } as unknown as NodeJS.WriteStream;
    const options = { json: kind === "json", quiet: kind === "quiet", color: false };
    const reporter = openReporter({ ...options, stdout: stream, stderr: stream });
    const events: readonly WorkEvent[] = [
      { type: "job", job: hostile, state: hostile, reason: hostile },
      { type: "task-start", id: "a", kind: "install", label: hostile },
      { type: "warning", code: "NOTICE", message: hostile, place: { file: hostile }, hint: hostile },
      { type: "retry", url: hostile, attempt: 1, reason: hostile, delayMs: 1 },
      { type: "task-end", id: "a", outcome: "done" },
    ];
    for (const event of events) reporter.emit(event);
    reporter.line(hostile);
    reporter.close();
    expect(written).toContain("\\u009b2J");
    // What the live display itself sends: cursor up, erase.
    expect(written.replaceAll(/\p{Cc}\[(?:\d+A|J)/gu, "")).not.toMatch(harmful);
  });
});
