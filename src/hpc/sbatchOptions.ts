/** Options of `sbatch` that neither a site nor `job` has a key for: arrays, dependencies, mail, hints, heterogeneous jobs. */
import { SpacktainersError } from "../util/errors.ts";

/** An option by its long name; `hetjob` is not one: it begins another component of a heterogeneous job. */
export interface SbatchOption {
  readonly name: string;
  readonly value: string | undefined;
}

/** Options that a job has by other ways, and how. */
const ownOptions: ReadonlyMap<string, string> = new Map([
  ["account", "account"],
  ["partition", "partition"],
  ["qos", "qos"],
  ["constraint", "constraint"],
  ["nodes", "nodes"],
  ["ntasks-per-node", "tasks-per-node"],
  ["cpus-per-task", "cpus-per-task"],
  ["mem", "memory"],
  ["time", "time"],
  ["exclusive", "exclusive"],
  ["gpus-per-node", "gpus-per-node"],
  ["job-name", "name"],
  ["output", "log"],
]);

/** Those with which `sbatch` submits nothing, or something else than the script. */
const otherWork: ReadonlySet<string> = new Set(["help", "usage", "version", "test-only", "wrap"]);

/** Short names. Source: sbatch(1). */
const shortNames: Readonly<Record<string, string>> = {
  A: "account",
  a: "array",
  b: "begin",
  c: "cpus-per-task",
  C: "constraint",
  D: "chdir",
  d: "dependency",
  e: "error",
  F: "nodefile",
  G: "gpus",
  H: "hold",
  i: "input",
  J: "job-name",
  k: "no-kill",
  L: "licenses",
  M: "clusters",
  m: "distribution",
  N: "nodes",
  n: "ntasks",
  O: "overcommit",
  o: "output",
  p: "partition",
  q: "qos",
  S: "core-spec",
  s: "oversubscribe",
  t: "time",
  w: "nodelist",
  W: "wait",
  x: "exclude",
};

/**
 * Reads an option: `--NAME[=VALUE]`, with or without the dashes, `-X VALUE`, or `hetjob`.
 * @throws SpacktainersError USAGE
 */
export function parseSbatchOption(text: string): SbatchOption {
  const [, short, shortValue] = /^-([A-Za-z])(?:[= ]?(.+))?$/.exec(text) ?? [];
  const [, long, longValue] = /^(?:--)?([a-z][a-z0-9_-]*)(?:[= ](.*))?$/.exec(text) ?? [];
  const name = short === undefined ? long : shortNames[short];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (name === undefined || /[\u0000-\u001f\u007f]/.test(text))
    throw new SpacktainersError("USAGE", `${JSON.stringify(text.slice(0, 80))} is not an option of sbatch`, {
      hint: "such as --array=1-10, hint=nomultithread, or hetjob",
    });
  if (otherWork.has(name)) throw new SpacktainersError("USAGE", `with --${name}, sbatch submits no script`);
  const value = short === undefined ? longValue : shortValue;
  return { name: name === "packjob" ? "hetjob" : name, value: value === "" ? undefined : value };
}

/**
 * Puts the options of a command line over those of a site: what has the same name takes its place. After `hetjob` an option is the
 * other component's.
 *
 * @throws SpacktainersError USAGE: an option of the first component that has a key of its own
 */
export function jobOptions(
  site: readonly SbatchOption[],
  given: readonly SbatchOption[],
): readonly SbatchOption[] {
  const [siteFirst, siteOthers] = components(site);
  const [givenFirst, givenOthers] = components(given);
  const names = new Set(givenFirst.map(({ name }) => name));
  const first = [...siteFirst.filter(({ name }) => !names.has(name)), ...givenFirst];
  for (const { name } of first) {
    const key = ownOptions.get(name);
    if (key !== undefined)
      throw new SpacktainersError("USAGE", `sbatch's --${name} has its own option here`, {
        hint: `use --${key}${key === "name" || key === "log" ? "" : `, or \`${key}:\` of the site`}`,
      });
  }
  return [...first, ...(givenOthers.length > 0 ? givenOthers : siteOthers)];
}

/** Those of the first component; the rest. */
function components(
  options: readonly SbatchOption[],
): readonly [readonly SbatchOption[], readonly SbatchOption[]] {
  const at = options.findIndex(isSeparator);
  return at < 0 ? [options, []] : [options.slice(0, at), options.slice(at)];
}

/** Whether it begins another component. */
export function isSeparator({ name, value }: SbatchOption): boolean {
  return name === "hetjob" && value === undefined;
}

/** Whether options ask for GPUs, so that nothing else has to. */
export function asksForGpus(options: readonly SbatchOption[]): boolean {
  return options.some(
    ({ name, value }) =>
      /^gpus(?:$|-per-)/.test(name) || (name === "gres" && /(?:^|,)(?:gres[:/])?gpu\b/.test(value ?? "")),
  );
}
