import { SpacktainersError } from "../../util/errors.ts";
import { type SupervisedProcess, superviseTask } from "../supervise.ts";
import type { BuildTask, Executor, TaskEnd, TaskHandle } from "./executor.ts";

interface HostTask {
  readonly begun: Promise<boolean>;
  readonly end: Promise<TaskEnd>;
  stop(): void;
}

/** The end of a task that nothing was done for. */
export const notStarted: TaskEnd = {
  outcome: "not-started",
  status: undefined,
  step: undefined,
  reason: undefined,
  seconds: 0,
  memory: undefined,
};

/** How tasks differ that are run on this machine. */
export interface LocalTasks {
  readonly name: string;
  /** For people. */
  readonly place: string;
  /** What is really run for a task. */
  readonly commands: (task: BuildTask) => Pick<BuildTask, "steps" | "env">;
  /** Whether what a task takes can be seen from here. */
  readonly measured: boolean;
  /** Why a task failed, where its exit status is that of what runs it. */
  readonly reason: (status: number) => string | undefined;
}

const plainTasks: LocalTasks = {
  name: "host",
  place: "this machine",
  commands: (task) => task,
  measured: true,
  reason: () => undefined,
};

/**
 * Builds on this machine: a session of its own for each task, of which no process outlives us.
 *
 * @param python absolute path of a Python 3, which the supervisor of each task runs in
 */
export function openHostExecutor(python: string, how: LocalTasks = plainTasks): Executor {
  const tasks = new Map<TaskHandle, HostTask>();
  let closed = false;

  const taskOf = (handle: TaskHandle): HostTask => {
    const task = tasks.get(handle);
    if (task === undefined)
      throw new SpacktainersError("INTERNAL", `${handle.task.label} is not a task here`);
    return task;
  };

  return {
    name: how.name,
    holdsBack: false,
    sharesCores: true,
    async start(task, after) {
      if (closed) throw new SpacktainersError("INTERNAL", "the executor is closed");
      const waiting = after.map((handle) => taskOf(handle).end);
      const ready = Promise.all(waiting).then((ends) => ends.every(({ outcome }) => outcome === "done"));
      let stopped = false;
      let running: SupervisedProcess | undefined;
      let begin: () => void = () => {};
      const begun = new Promise<boolean>((resolve) => {
        begin = () => resolve(true);
      });
      const end = ready.then(async (may): Promise<TaskEnd> => {
        if (!may) return notStarted;
        if (stopped) return { ...notStarted, outcome: "stopped" };
        running = await superviseTask(python, { log: task.log, cwd: task.cwd, ...how.commands(task) });
        begin();
        if (stopped) running.stop();
        return endOf(await running.result, how);
      });
      const handle: TaskHandle = { task, place: how.place };
      tasks.set(handle, {
        begun: Promise.race([begun, end.then(() => false)]).catch(() => false),
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
    begun: (handle) => taskOf(handle).begun,
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

function endOf(result: Awaited<SupervisedProcess["result"]>, how: LocalTasks): TaskEnd {
  const { status, step, seconds, memory, stopped } = result;
  return {
    outcome: stopped ? "stopped" : status === 0 ? "done" : "failed",
    status,
    step,
    reason: stopped ? undefined : (how.reason(status) ?? signalReason(status)),
    seconds,
    // It is sampled: of what is over at once nothing is known.
    memory: memory === 0 || !how.measured ? undefined : memory,
  };
}

/** What an exit status says of a signal, as shells have it: 128 + its number. */
export function signalReason(status: number): string | undefined {
  if (status === 137) return "it was killed, perhaps because memory ran out";
  return status > 128 ? `signal ${status - 128} ended it` : undefined;
}
