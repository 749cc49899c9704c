import { expect, it } from "vitest";
import type { WorkEvent } from "../../src/util/events.ts";
import { nameEvents } from "../../src/util/nameEvents.ts";

it("says for which container an event is, and when work for each begins and ends", async () => {
  const events: WorkEvent[] = [];
  const named = nameEvents((event) => void events.push(event));
  const stage = { type: "stage", stage: "write-image" } as const;
  const never = () => false;
  named.emit(stage);
  await named.during({ container: "amd64/a", position: 1, total: 3 }, async () => named.emit(stage), never);
  const failure = new Error("broken");
  const failing = named.during(
    { container: "amd64/b", position: 2, total: 3 },
    async () => {
      named.emit({ type: "task-progress", id: "a", bytes: 1 });
      throw failure;
    },
    never,
  );
  await expect(failing).rejects.toBe(failure);
  await named.during(
    { container: "c", position: 3, total: 3 },
    async () => 7,
    (result) => result === 7,
  );
  named.emit(stage);
  expect(events).toEqual([
    stage,
    { type: "container-start", container: "amd64/a", position: 1, total: 3 },
    { ...stage, container: "amd64/a" },
    { type: "container-end", container: "amd64/a", outcome: "done" },
    { type: "container-start", container: "amd64/b", position: 2, total: 3 },
    { type: "task-progress", id: "a", bytes: 1 },
    { type: "container-end", container: "amd64/b", outcome: "failed" },
    { type: "container-start", container: "c", position: 3, total: 3 },
    { type: "container-end", container: "c", outcome: "failed" },
    stage,
  ]);
});
