import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openReporter } from "../../../src/cli/report/openReporter.ts";
import type { WorkEvent } from "../../../src/util/events.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A reporter, and what it wrote. */
function watched(kind: "json" | "plain" | "live") {
  const written: string[] = [];
  const stream = {
    ...(kind === "live" ? { isTTY: true, columns: 200 } : {}),
    write: (text: string) => written.push(text) > 0,
  } as unknown as NodeJS.WriteStream;
  const reporter = openReporter({
    json: kind === "json",
    quiet: false,
    color: false,
    stdout: stream,
    stderr: stream,
  });
  return { reporter, text: () => written.join("") };
}

const lookUp: readonly WorkEvent[] = [
  { type: "stage", stage: "look-up-packages", total: 3, counts: "lookup" },
  ...["2", "3"].flatMap((id): readonly WorkEvent[] => [
    { type: "task-start", id: `index:${id}`, kind: "index", label: "cache" },
    { type: "task-end", id: `index:${id}`, outcome: "done" },
  ]),
  ...["a", "b", "c"].flatMap((id): readonly WorkEvent[] => [
    { type: "task-start", id: `lookup:${id}`, kind: "lookup", label: id },
    { type: "task-end", id: `lookup:${id}`, outcome: "done" },
  ]),
];

describe("a reporter", () => {
  it("counts the packages of a stage, not what is read beside them", () => {
    const { reporter, text } = watched("live");
    for (const event of lookUp) reporter.emit(event);
    reporter.close();
    expect(text()).toContain("Looking up packages  3 of 3");
    expect(text()).not.toContain("5 of 3");
  });

  it("names the container, and how many there are", () => {
    const hello = { type: "container-start", container: "amd64/hello" } as const;
    const shown = (total: number): string => {
      const { reporter, text } = watched("live");
      reporter.emit({ ...hello, position: 1, total });
      for (const event of lookUp) reporter.emit(event);
      vi.advanceTimersByTime(100);
      reporter.emit({ type: "container-end", container: "amd64/hello", outcome: "failed" });
      reporter.close();
      return text();
    };
    expect(shown(1)).toContain("amd64/hello\nLooking up packages  3 of 3");
    expect(shown(3)).toContain("0 of 3 containers\namd64/hello  Looking up packages  3 of 3");
    expect(shown(3)).toContain("amd64/hello  1 of 3  failed");
    const { reporter, text } = watched("plain");
    reporter.emit({ ...hello, position: 1, total: 1 });
    expect(text()).toBe("");
    reporter.emit({ ...hello, position: 2, total: 3 });
    reporter.emit({ type: "stage", stage: "write-image" });
    expect(text()).toBe("amd64/hello  2 of 3\namd64/hello  Writing the image\n");
  });

  it("does not count what failed as done", () => {
    const { reporter, text } = watched("live");
    for (const event of lookUp.slice(0, -1)) reporter.emit(event);
    reporter.emit({ type: "task-end", id: "lookup:c", outcome: "failed" });
    reporter.close();
    expect(text()).toContain("Looking up packages  2 of 3");
  });

  it("shows how far a task is when its size is known late", () => {
    const { reporter, text } = watched("live");
    reporter.emit({ type: "stage", stage: "write-file" });
    reporter.emit({ type: "task-start", id: "write:a", kind: "write", label: "sif:a" });
    reporter.emit({ type: "task-progress", id: "write:a", bytes: 0, total: 2048 });
    reporter.emit({ type: "task-progress", id: "write:a", bytes: 1024 });
    vi.advanceTimersByTime(100);
    reporter.close();
    expect(text()).toMatch(/writing sif:a {2}1\S* \S+ of 2/);
  });

  it("says in English what programs know by its identifier", () => {
    const events: readonly WorkEvent[] = [
      { type: "stage", stage: "choose-packages" },
      { type: "job", job: "17", state: "SUBMITTED" },
      { type: "job", job: "17", state: "PENDING", reason: "Resources" },
    ];
    const [plain, json] = [watched("plain"), watched("json")];
    for (const event of events) for (const { reporter } of [plain, json]) reporter.emit(event);
    expect(plain.text()).toBe("Choosing packages\nJob 17 is submitted\nJob 17: pending (Resources)\n");
    expect(
      json
        .text()
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(events);
  });

  it("ends every task that was begun: what still runs when it is closed has failed", () => {
    const { reporter, text } = watched("json");
    for (const id of ["a", "b"]) reporter.emit({ type: "task-start", id, kind: "base", label: id });
    reporter.emit({ type: "task-end", id: "a", outcome: "done" });
    reporter.close();
    // A straggler says nothing after the result.
    reporter.emit({ type: "task-end", id: "b", outcome: "done" });
    const ends = text()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
      .filter(({ type }) => type === "task-end");
    expect(ends).toEqual([
      { type: "task-end", id: "a", outcome: "done" },
      { type: "task-end", id: "b", outcome: "failed" },
    ]);
  });

  const building: readonly WorkEvent[] = [
    { type: "stage", stage: "build-packages", total: 3, counts: "compile" },
    { type: "time-left", seconds: 600 },
    { type: "task-start", id: "compile:a", kind: "compile", label: "zlib@1.3" },
    { type: "task-start", id: "compile:b", kind: "compile", label: "cmake@3.25" },
    { type: "task-phase", id: "compile:a", phase: "configure" },
  ];
  const failure: WorkEvent = {
    type: "build-failure",
    package: "cmake@3.25/abcdefg",
    phase: "build",
    reason: undefined,
    log: "/logs/cmake.log",
    errors: [
      { line: 42, text: "x.c:1: error: no", context: ["cc -c x.c", "x.c:1: error: no", "   int\u001b[2J"] },
    ],
    blocked: ["hdf5@1.14/bcdefgh"],
  };

  it("shows in which phase a package is and for how long, and how long all will take", () => {
    const { reporter, text } = watched("live");
    for (const event of building) reporter.emit(event);
    vi.advanceTimersByTime(60_000);
    expect(text()).toContain("  building zlib@1.3  configure  1 min 0 s\n");
    expect(text()).toContain("Building packages  0 of 3, about 9 min 0 s left\n");
    reporter.emit({ type: "task-end", id: "compile:a", outcome: "done" });
    reporter.emit({ type: "time-left", seconds: 100 });
    vi.advanceTimersByTime(100);
    expect(text()).toContain("Building packages  1 of 3, about 1 min 40 s left\n");
    reporter.close();
  });

  it("has a line in logs for each package that is built", () => {
    const { reporter, text } = watched("plain");
    for (const event of building) reporter.emit(event);
    reporter.emit({ type: "time-left", seconds: 100 });
    reporter.emit({ type: "task-end", id: "compile:a", outcome: "done" });
    reporter.emit({ type: "task-end", id: "compile:b", outcome: "failed" });
    expect(text()).toMatch(
      /^Building packages \(3\)\n {2}built zlib@1\.3 {2}0\.0 s {2}\(1 of 3, about 1 min 40 s left\)\n$/,
    );
  });

  it("says why a package failed, however it reports, and lets nothing of it act on the terminal", () => {
    for (const kind of ["plain", "live"] as const) {
      const { reporter, text } = watched(kind);
      reporter.emit(failure);
      reporter.close();
      expect(text()).toContain(`cmake@3.25/abcdefg failed in its phase build
  line 42 of its log:
  | cc -c x.c
  > x.c:1: error: no
  |    int\\u001b[2J
  the whole log: /logs/cmake.log
  not built because of it: hdf5@1.14/bcdefgh
`);
    }
    const { reporter, text } = watched("json");
    reporter.emit(failure);
    expect(JSON.parse(text())).toMatchObject({ blocked: ["hdf5@1.14/bcdefgh"], errors: [{ line: 42 }] });
  });
});
