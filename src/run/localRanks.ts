import { hostEnvironment } from "../util/surroundings.ts";

/** Which of the ranks of its machine a process is, and how many there are, as launchers say it. */

/** A rank among those of its machine. */
export interface LocalRanks {
  readonly own: number;
  readonly count: number;
}

/** Variables with the number of ranks of this machine, and with which of them this is. */
const pairs = [
  ["MPI_LOCALNRANKS", "MPI_LOCALRANKID"],
  ["OMPI_COMM_WORLD_LOCAL_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"],
  ["PALS_LOCAL_SIZE", "PALS_LOCAL_RANKID"],
] as const;

/**
 * Reads what a launcher said.
 * @returns undefined where none said it
 */
export function localRanks(env: NodeJS.ProcessEnv = hostEnvironment()): LocalRanks | undefined {
  const own = wholeNumber(env.SLURM_LOCALID);
  const count = tasksOfNode(env.SLURM_STEP_TASKS_PER_NODE ?? "", wholeNumber(env.SLURM_NODEID) ?? 0);
  if (own !== undefined && count !== undefined) return { own, count };
  for (const [size, rank] of pairs) {
    const [many, which] = [wholeNumber(env[size]), wholeNumber(env[rank])];
    if (many !== undefined && which !== undefined) return { own: which, count: many };
  }
  return undefined;
}

/** Slurm's list of tasks on each node, such as `4(x2),3`. */
function tasksOfNode(list: string, node: number): number | undefined {
  let first = 0;
  for (const item of list.split(",")) {
    const [, tasks, times = "1"] = /^(\d+)(?:\(x(\d+)\))?$/.exec(item) ?? [];
    if (tasks === undefined) return undefined;
    first += Number(times);
    if (node < first) return Number(tasks);
  }
  return undefined;
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
