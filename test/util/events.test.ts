import { describe, expect, it } from "vitest";
import { SpacktainersError } from "../../src/util/errors.ts";
import { reportReused, runTask, type WorkEvent } from "../../src/util/events.ts";

const task = { kind: "write", subject: "a", label: "oci:a", bytes: 7 } as const;

async function eventsOf(
  work: (emit: (event: WorkEvent) => void) => Promise<unknown>,
): Promise<readonly WorkEvent[]> {
  const events: WorkEvent[] = [];
  await work((event) => void events.push(event)).catch(() => {});
  return events;
}

async function* chunks(...sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (const size of sizes) yield new Uint8Array(size);
}

describe("a task", () => {
  it("begins, goes on and ends, and gives what its work gave", async () => {
    let given: unknown;
    const events = await eventsOf(async (emit) => {
      given = await runTask(emit, task, async ({ progress }) => {
        progress(3);
        progress(4);
        return "result";
      });
    });
    expect(given).toBe("result");
    expect(events).toEqual([
      { type: "task-start", id: "write:a", kind: "write", label: "oci:a", bytes: 7 },
      { type: "task-progress", id: "write:a", bytes: 3 },
      { type: "task-progress", id: "write:a", bytes: 4 },
      { type: "task-end", id: "write:a", outcome: "done", bytes: 7 },
    ]);
  });

  it("ends as failed when its work throws, at once or later, and passes the error on", async () => {
    const failure = new SpacktainersError("DISK_FULL", "no space");
    for (const work of [
      () => Promise.reject(failure),
      () => {
        throw failure;
      },
    ]) {
      const events: WorkEvent[] = [];
      const ran = runTask((event) => void events.push(event), task, work);
      await expect(ran).rejects.toBe(failure);
      expect(events.map((event) => event.type)).toEqual(["task-start", "task-end"]);
      expect(events.at(-1)).toEqual({ type: "task-end", id: "write:a", outcome: "failed" });
    }
  });

  it("ends as failed when it is aborted while it reads, with the reason of the abort", async () => {
    const abort = new AbortController();
    const reason = new SpacktainersError("INTERRUPTED", "by the user");
    const events: WorkEvent[] = [];
    const read: number[] = [];
    const ran = runTask(
      (event) => void events.push(event),
      { ...task, signal: abort.signal },
      async ({ counted }) => {
        for await (const chunk of counted(chunks(1, 2, 4))) {
          read.push(chunk.length);
          if (read.length === 2) abort.abort(reason);
        }
      },
    );
    await expect(ran).rejects.toBe(reason);
    expect(read).toEqual([1, 2]);
    expect(events.at(-1)).toMatchObject({ type: "task-end", outcome: "failed" });
  });

  it("is not begun once it is aborted", async () => {
    const events = await eventsOf((emit) =>
      runTask(emit, { ...task, signal: AbortSignal.abort() }, async () => "never"),
    );
    expect(events).toEqual([]);
  });

  it("says when its result was there", async () => {
    const events = await eventsOf((emit) =>
      reportReused(emit, { kind: "install", subject: "h", label: "a" }),
    );
    expect(events).toEqual([
      { type: "task-start", id: "install:h", kind: "install", label: "a" },
      { type: "task-end", id: "install:h", outcome: "reused" },
    ]);
  });

  it("tells its size when that is known late, and only then", async () => {
    const events = await eventsOf((emit) =>
      runTask(emit, { kind: "download", label: "a" }, async ({ size }) => {
        size(9);
        size(9);
      }),
    );
    const [start] = events;
    const id = start?.type === "task-start" ? start.id : "";
    expect(events.slice(1)).toEqual([
      { type: "task-progress", id, bytes: 0, total: 9 },
      { type: "task-end", id, outcome: "done", bytes: 9 },
    ]);
  });

  it("has an identifier of its own when it is given none", async () => {
    const events = await eventsOf((emit) =>
      Promise.all([1, 2].map(() => reportReused(emit, { kind: "push", label: "a" }))),
    );
    const ids = events.flatMap((event) => (event.type === "task-start" ? [event.id] : []));
    expect(new Set(ids).size).toBe(2);
  });
});
