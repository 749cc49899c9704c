/** What a job asks of Slurm, as sbatch's options. */
import type { SlurmConfiguration } from "../../definitions/slurmConfiguration.ts";
import { hostEnvironment } from "../../util/surroundings.ts";
import type { BuildTask } from "./executor.ts";

const megabyte = 2 ** 20;

/**
 * The options of a task's job. What earlier builds took is what it asks for, with room to spare: times and memory differ between
 * machines, and memory was only sampled.
 *
 * @param after numbers of the jobs that must have ended well
 * @param output file for what Slurm itself says
 */
export function requestOptions(
  { label, hash, cwd, resources }: Pick<BuildTask, "label" | "hash" | "cwd" | "resources">,
  settings: SlurmConfiguration,
  after: readonly string[],
  output: string,
): readonly string[] {
  const { partition, account, qos, constraint } = settings;
  const seconds = resources.seconds === undefined ? undefined : resources.seconds * 4 + 600;
  const bytes = resources.memory === undefined ? undefined : resources.memory * 1.5 + 256 * megabyte;
  const limit = most(seconds, settings.time);
  const memory = most(bytes, settings.memory);
  const named: readonly (readonly [string, string | undefined])[] = [
    ["job-name", jobName({ label, hash })],
    ["output", output],
    ["error", output],
    ["chdir", cwd],
    ["nodes", "1"],
    ["ntasks", "1"],
    ["cpus-per-task", String(resources.cores)],
    // It is that of {@link submitEnvironment}; the task has its own.
    ["export", "ALL"],
    ["open-mode", "append"],
    ["partition", partition],
    ["account", account],
    ["qos", qos],
    ["constraint", constraint],
    ["time", limit === undefined ? undefined : minutes(limit)],
    ["mem", memory === undefined ? undefined : `${Math.ceil(memory / megabyte)}M`],
    ["dependency", after.length === 0 ? undefined : `afterok:${after.join(":")}`],
    ["kill-on-invalid-dep", "yes"],
  ];
  return [
    ...named.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`])),
    // A node that fails is not the package's fault.
    "--requeue",
    ...settings.args,
  ];
}

function minutes(seconds: number): string {
  return Number.isFinite(seconds) ? String(Math.ceil(seconds / 60)) : "UNLIMITED";
}

/** What a task's job is called. */
export function jobName({ label, hash }: Pick<BuildTask, "label" | "hash">): string {
  return `${label.replaceAll(/[^A-Za-z0-9@._+-]/g, "_")}-${hash.slice(0, 7)}`;
}

function most(...values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

/** What sbatch sees of our environment, and the nodes with it: nothing secret, and nothing of a job that we may be part of. */
export function submitEnvironment(ours: NodeJS.ProcessEnv = hostEnvironment()): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(ours).filter(([name]) =>
      /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|TZ|SLURM_CONF.*|SBATCH_.*)$/.test(name),
    ),
  );
}
