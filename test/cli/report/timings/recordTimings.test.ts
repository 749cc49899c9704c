import { describe, expect, it } from "vitest";
import { recordTimings } from "../../../../src/cli/report/timings/recordTimings.ts";
import type { WorkEvent } from "../../../../src/util/events.ts";

/** Records events, each after its number of milliseconds. */
function record(...events: readonly (readonly [number, WorkEvent])[]) {
  let time = 1000;
  const passed: WorkEvent[] = [];
  const recorder = recordTimings((event) => passed.push(event), { began: new Date(0), now: () => time });
  for (const [at, event] of events) {
    time = 1000 + at;
    recorder.emit(event);
  }
  time = 2000;
  expect(passed).toEqual(events.map(([, event]) => event));
  return recorder.timings();
}

const start = (id: string, more: object = {}): WorkEvent => ({
  type: "task-start",
  id,
  kind: "install",
  label: id,
  ...more,
});
const end = (id: string, outcome: "done" | "reused" | "failed" = "done"): WorkEvent => ({
  type: "task-end",
  id,
  outcome,
});
const container = (name: string): WorkEvent => ({
  type: "container-start",
  container: name,
  position: 1,
  total: 2,
});

describe("the timings of a run", () => {
  it("have tasks in the order in which they began, with what they were for", () => {
    const { tasks, containers, stages, milliseconds } = record(
      [0, start("before")],
      [10, end("before")],
      [20, container("amd64/one")],
      [30, { type: "stage", stage: "install-packages" }],
      [40, start("long", { bytes: 7 })],
      [50, start("short")],
      [60, end("short")],
      [90, end("long")],
      [95, { type: "stage", stage: "write-image" }],
      [99, { type: "container-end", container: "amd64/one", outcome: "done" }],
    );
    expect(tasks).toMatchObject([
      { label: "before", container: undefined, start: 0, end: 10, outcome: "done" },
      { label: "long", container: "amd64/one", start: 40, end: 90, bytes: 7 },
      { label: "short", start: 50, end: 60, bytes: undefined },
    ]);
    expect(containers).toEqual([{ name: "amd64/one", start: 20, end: 99, outcome: "done" }]);
    expect(stages).toEqual([
      { stage: "install-packages", container: "amd64/one", start: 30, end: 95 },
      { stage: "write-image", container: "amd64/one", start: 95, end: 99 },
    ]);
    expect(milliseconds).toBe(1000);
  });

  it("count what was known already, by kind", () => {
    const { tasks, reused } = record(
      [0, start("a")],
      [1, end("a", "reused")],
      [2, start("b")],
      [3, end("b", "reused")],
    );
    expect(tasks).toEqual([]);
    expect([...reused]).toEqual([["install", 2]]);
  });

  it("have the phases of a package that is built", () => {
    const { tasks } = record(
      [0, start("gcc", { kind: "compile" })],
      [5, { type: "task-phase", id: "gcc", phase: "fetch" }],
      [20, { type: "task-phase", id: "gcc", phase: "build" }],
      [70, end("gcc", "failed")],
    );
    expect(tasks).toMatchObject([
      {
        outcome: "failed",
        phases: [
          { name: "fetch", start: 5, end: 20 },
          { name: "build", start: 20, end: 70 },
        ],
      },
    ]);
  });

  it("learn a size late, and end with the run for what was interrupted", () => {
    const { tasks, containers } = record(
      [0, container("amd64/one")],
      [1, start("cut")],
      [2, { type: "task-progress", id: "cut", bytes: 1, total: 50 }],
    );
    expect(tasks).toMatchObject([{ label: "cut", bytes: 50, outcome: "failed", end: 1000 }]);
    expect(containers).toMatchObject([{ outcome: "failed", end: 1000 }]);
  });

  it("know tasks with the same name one after the other", () => {
    const { tasks } = record(
      [0, start("a")],
      [1, end("a")],
      [2, start("a")],
      [5, end("a")],
      [6, end("unknown")],
    );
    expect(tasks.map((task) => task.end - task.start)).toEqual([1, 3]);
  });
});
