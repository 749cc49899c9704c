/** Where packages are built: one interface, whatever runs the work. */
import type { DagHash } from "../../spec/concrete.ts";
import type { SupervisedStep } from "../supervise.ts";

/** What one package takes. */
export interface TaskResources {
  /** Processes that it may use to compile. */
  readonly cores: number;
  /** Bytes, from earlier builds; undefined when not known. */
  readonly memory: number | undefined;
  /** Seconds, from earlier builds; undefined when not known. */
  readonly seconds: number | undefined;
}

/** The work on one package: commands that run one after the other until one fails. */
export interface BuildTask {
  readonly hash: DagHash;
  /** What it does to the package: equal for tasks one of which is as good as the other, whoever started it. */
  readonly work: string;
  /** For people, and for names of jobs: `zlib@1.3.1`. */
  readonly label: string;
  readonly steps: readonly SupervisedStep[];
  /** Absolute path of the file that gets everything that the commands say. Its folder exists. */
  readonly log: string;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly resources: TaskResources;
}

/** A task that an executor has taken. */
export interface TaskHandle {
  readonly task: BuildTask;
  /** Where it runs, for people: `process 4711`, `job 12`. */
  readonly place: string;
}

/** How a task ended. */
export interface TaskEnd {
  /**
   * `done`: every command ended well. `failed`: one did not, or the machine it ran on is gone. `stopped`: by us.
   * `not-started`: something that it came after was not done.
   */
  readonly outcome: "done" | "failed" | "stopped" | "not-started";
  /** Exit status of the last command; undefined when there is none. */
  readonly status: number | undefined;
  /** The command that ran last. */
  readonly step: string | undefined;
  /** Why it failed, where it is not the command that says so. */
  readonly reason: string | undefined;
  readonly seconds: number;
  /** Most memory that its processes had together, in bytes; undefined when not known. */
  readonly memory: number | undefined;
}

/**
 * Runs tasks. What ends an executor (a signal, `kill -9` of us) ends its tasks, with all of their processes; an executor
 * whose tasks live on without us, in a batch system, says so.
 */
export interface Executor {
  /** As configured and shown. */
  readonly name: string;
  /**
   * True when it takes tasks at once and holds them back itself until what they come after is done. Others are given a task
   * when that is the case.
   */
  readonly holdsBack: boolean;
  /** True when tasks that run at a time share the cores of one machine. Others have what they ask for to themselves. */
  readonly sharesCores: boolean;
  /**
   * Takes a task, which begins when all of `after` are `done`, and never begins when one of them ends otherwise.
   *
   * @throws SpacktainersError when it cannot be taken
   */
  start(task: BuildTask, after: readonly TaskHandle[]): Promise<TaskHandle>;
  /** Waits until a task's first command begins, or it is clear that none will: false. Does not reject. */
  begun(handle: TaskHandle): Promise<boolean>;
  /** Waits for a task's end. Does not reject because of how it ended. */
  finished(handle: TaskHandle): Promise<TaskEnd>;
  /** Ends a task with all of its processes, and returns when none is left. What has ended already is left as it is. */
  stop(handle: TaskHandle): Promise<void>;
  /** Stops what runs. Nothing can be started afterwards. */
  close(): Promise<void>;
}
