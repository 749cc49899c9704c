import { SpacktainersError } from "../../util/errors.ts";
import { type SupervisedProcess, superviseTask } from "../supervise.ts";
import type { Executor, TaskEnd, TaskHandle } from "./executor.ts";

interface HostTask {
  readonly end: Promise<TaskEnd>;
  stop(): void;
}

const notStarted: TaskEnd = {
  outcome: "not-started",
  status: undefined,
  step: undefined,
  reason: undefined,
  seconds: 0,
  memory: undefined,
};

/**
 * Builds on this machine: a session of its own for each task, of which no process outlives us.
 *
 * @param python absolute path of a Python 3, which the supervisor of each task runs in
 */
export function openHostExecutor(python: string): Executor {
  const tasks = new Map<TaskHandle, HostTask>();
  let closed = false;

  const taskOf = (handle: TaskHandle): HostTask => {
    const task = tasks.get(handle);
    if (task === undefined)
      throw new SpacktainersError("INTERNAL", `${handle.task.label} is not a task here`);
    return task;
  };

  return {
    name: "host",
    holdsBack: false,
    async start(task, after) {
      if (closed) throw new SpacktainersError("INTERNAL", "the executor is closed");
      const waiting = after.map((handle) => taskOf(handle).end);
      const ready = Promise.all(waiting).then((ends) => ends.every(({ outcome }) => outcome === "done"));
      let stopped = false;
      let running: SupervisedProcess | undefined;
      const end = ready.then(async (may): Promise<TaskEnd> => {
        if (!may) return notStarted;
        if (stopped) return { ...notStarted, outcome: "stopped" };
        running = await superviseTask(python, task);
        if (stopped) running.stop();
        return endOf(await running.result);
      });
      const handle: TaskHandle = { task, place: "this machine" };
      tasks.set(handle, {
        end,
        stop: () => {
          stopped = true;
          running?.stop();
        },
      });
      // Who does not ask is not told.
      end.catch(() => {});
      return handle;
    },
    finished: (handle) => taskOf(handle).end,
    async stop(handle) {
      const task = taskOf(handle);
      task.stop();
      await task.end.catch(() => {});
    },
    async close() {
      closed = true;
      for (const task of tasks.values()) task.stop();
      await Promise.allSettled([...tasks.values()].map(({ end }) => end));
    },
  };
}

function endOf(result: Awaited<SupervisedProcess["result"]>): TaskEnd {
  const { status, step, seconds, memory, stopped } = result;
  const signal = status > 128 && !stopped ? `signal ${status - 128} ended it` : undefined;
  return {
    outcome: stopped ? "stopped" : status === 0 ? "done" : "failed",
    status,
    step,
    reason: status === 137 && !stopped ? "it was killed, perhaps because memory ran out" : signal,
    seconds,
    // It is sampled: of what is over at once nothing is known.
    memory: memory === 0 ? undefined : memory,
  };
}
