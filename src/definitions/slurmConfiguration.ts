/** `spack: slurm:` of `spacktainers.yaml`: how packages are built as jobs. */

/** The section as written. */
export interface SlurmSection {
  readonly partition?: string | undefined;
  readonly account?: string | undefined;
  readonly qos?: string | undefined;
  readonly constraint?: string | undefined;
  readonly time?: string | undefined;
  readonly memory?: string | undefined;
  readonly cores?: number | undefined;
  readonly poll?: number | undefined;
  readonly args?: readonly string[] | undefined;
}

/** The section, complete. */
export interface SlurmConfiguration {
  readonly partition: string | undefined;
  readonly account: string | undefined;
  readonly qos: string | undefined;
  readonly constraint: string | undefined;
  /** Least time limit, in seconds; undefined: the partition's, where nothing is known of a package. */
  readonly time: number | undefined;
  /** Least memory, in bytes; undefined: the partition's, where nothing is known of a package. */
  readonly memory: number | undefined;
  /** Cores of a job; undefined: by the partition's nodes. */
  readonly cores: number | undefined;
  /** Least seconds between two questions to Slurm. */
  readonly poll: number;
  /** More options for sbatch. */
  readonly args: readonly string[];
}

/** Seconds between two questions to Slurm when the configuration does not say. */
const defaultPoll = 10;

/** Fills in the defaults. */
export function completeSlurm(section: SlurmSection): SlurmConfiguration {
  const { partition, account, qos, constraint, time, memory, cores, poll, args } = section;
  return {
    partition,
    account,
    qos,
    constraint,
    time: time === undefined ? undefined : secondsOfLimit(time),
    memory: memory === undefined ? undefined : bytesOfMemory(memory),
    cores,
    poll: poll ?? defaultPoll,
    args: args ?? [],
  };
}

/** Seconds of a time limit as sbatch takes it: `MM`, `MM:SS`, `HH:MM:SS`, `D-HH`, `D-HH:MM`, `D-HH:MM:SS`, `UNLIMITED`. */
export function secondsOfLimit(text: string): number {
  if (/^unlimited$/i.test(text)) return Number.POSITIVE_INFINITY;
  const [, days, rest = text] = /^(\d+)-(.*)$/.exec(text) ?? [];
  const parts = rest.split(":").map(Number);
  const [first = 0, second = 0, third = 0] = parts;
  if (days !== undefined) return Number(days) * 86_400 + first * 3600 + second * 60 + third;
  if (parts.length === 3) return first * 3600 + second * 60 + third;
  return first * 60 + second;
}

/** Bytes of an amount of memory as sbatch takes it: a number of megabytes, or with `K`, `M`, `G`, `T` behind. */
export function bytesOfMemory(text: string): number {
  const power = "KMGT".indexOf(text.at(-1) ?? "");
  return Number.parseInt(text, 10) * 2 ** (power < 0 ? 20 : 10 * (power + 1));
}
