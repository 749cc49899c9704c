/** What changed between two commits, and which containers that concerns: pure functions of what decides containers. */

/** What decides a container's image, at one commit. */
export interface ContainerInputs {
  readonly name: string;
  readonly arch: string;
  /** Files and folders, relative to the git repository, with slashes. A folder stands for all that is in it. */
  readonly paths: readonly string[];
  /** What the configuration says, by section, as text that is equal when it means the same. */
  readonly configuration: ReadonlyMap<string, string>;
}

/** A container that has to be made, and why. */
export interface ChangedContainer {
  readonly name: string;
  readonly arch: string;
  /** For people, sorted: paths, `spacktainers.yaml: SECTION`, `new`. */
  readonly reasons: readonly string[];
}

/** Containers that are not what they were. */
export interface Changes {
  readonly changed: readonly ChangedContainer[];
  readonly unchanged: readonly Omit<ChangedContainer, "reasons">[];
  /** `arch/name` of those that are no more. */
  readonly removed: readonly string[];
}

/**
 * Which containers changed: those of which a deciding file or a section of the configuration did, and new ones.
 *
 * @param files that differ, relative to the git repository, with slashes
 */
export function changedContainers(
  before: readonly ContainerInputs[],
  after: readonly ContainerInputs[],
  files: ReadonlySet<string>,
): Changes {
  const earlier = new Map(before.map((one) => [keyOf(one), one]));
  const changed: ChangedContainer[] = [];
  const unchanged: Omit<ChangedContainer, "reasons">[] = [];
  for (const now of after) {
    const { name, arch } = now;
    const then = earlier.get(keyOf(now));
    const reasons = then === undefined ? ["new"] : differences(then, now, files);
    if (reasons.length > 0) changed.push({ name, arch, reasons });
    else unchanged.push({ name, arch });
  }
  const present = new Set(after.map(keyOf));
  return { changed, unchanged, removed: [...earlier.keys()].filter((key) => !present.has(key)).sort() };
}

/** The paths that differ, of some files and folders. Sorted. */
export function changedPaths(paths: Iterable<string>, files: ReadonlySet<string>): readonly string[] {
  const found = new Set<string>();
  const all = [...files];
  for (const path of paths) {
    if (files.has(path)) found.add(path);
    for (const file of all) if (path === "" || file.startsWith(`${path}/`)) found.add(file);
  }
  return [...found].sort();
}

function differences(
  then: ContainerInputs,
  now: ContainerInputs,
  files: ReadonlySet<string>,
): readonly string[] {
  const sections = new Set([...then.configuration.keys(), ...now.configuration.keys()]);
  const ofConfiguration = [...sections]
    .filter((section) => then.configuration.get(section) !== now.configuration.get(section))
    .map((section) => `spacktainers.yaml: ${section}`);
  return [...changedPaths([...then.paths, ...now.paths], files), ...ofConfiguration.sort()];
}

function keyOf({ name, arch }: Pick<ContainerInputs, "name" | "arch">): string {
  return `${arch}/${name}`;
}
