/** What a job may ask of Slurm, field by field: names, and which values are right. */
import { siteSchema } from "../definitions/siteSchema.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { JobResources } from "./site.ts";

/** One field. */
export interface ResourceField {
  readonly field: keyof JobResources;
  /** In site files, and with two dashes on the command line. */
  readonly key:
    | "account"
    | "partition"
    | "qos"
    | "constraint"
    | "nodes"
    | "tasks-per-node"
    | "cpus-per-task"
    | "time"
    | "memory"
    | "gpus-per-node";
  /** What a form asks; undefined: it does not ask. */
  readonly question: string | undefined;
}

/** In the order a form asks. */
export const resourceFields: readonly ResourceField[] = [
  { field: "account", key: "account", question: "Account (project) to charge" },
  { field: "partition", key: "partition", question: "Partition" },
  { field: "qos", key: "qos", question: "Quality of service" },
  { field: "constraint", key: "constraint", question: "Feature that nodes must have" },
  { field: "nodes", key: "nodes", question: "Nodes" },
  { field: "tasksPerNode", key: "tasks-per-node", question: "Tasks (ranks) on each node" },
  { field: "cpusPerTask", key: "cpus-per-task", question: "Processors for each task" },
  { field: "time", key: "time", question: "Time limit (hh:mm:ss)" },
  { field: "memory", key: "memory", question: "Memory on each node (such as 64G)" },
  { field: "gpusPerNode", key: "gpus-per-node", question: undefined },
];

const numeric: ReadonlySet<string> = new Set(["nodes", "tasks-per-node", "cpus-per-task"]);

/**
 * Reads the value of a field, by the rules of site files.
 * @throws SpacktainersError USAGE
 */
export function parseResource(key: ResourceField["key"], text: string): string | number {
  const value = numeric.has(key) ? (/^\d+$/.test(text) ? Number(text) : text) : text;
  const parsed = siteSchema().shape[key].safeParse(value);
  if (parsed.success && parsed.data !== undefined) return parsed.data;
  const reason = parsed.error?.issues[0];
  const why = numeric.has(key) ? "must be a whole number of at least 1" : (reason?.message ?? "is not right");
  throw new SpacktainersError("USAGE", `--${key}: ${JSON.stringify(text.slice(0, 80))} ${why}`);
}
