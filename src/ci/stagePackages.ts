/** Packages that have to be built, divided into jobs of a pipeline. */

/** A package to build. */
export interface WantedPackage {
  readonly hash: string;
  /** `name@version/hash`, shortened. */
  readonly label: string;
  /** A container that needs it: it is built in that one's environment. `arch/name` without the architecture. */
  readonly container: string;
  /** Hashes of packages that must be there first; those that are not to be built do not count. */
  readonly after: readonly string[];
}

/** Packages that one job builds, in this order. */
export interface PackageJob {
  /** Unique: `STAGE-POSITION`, both from 1. */
  readonly id: string;
  readonly packages: readonly WantedPackage[];
}

/** Most jobs that a matrix may have. */
const mostJobs = 256;

/**
 * Divides packages into stages of jobs: a job's packages need only packages of the same job, before them, and of earlier stages.
 * Levels of the graph that can be built one after the other without keeping anything waiting are one stage.
 *
 * @param packages each after those that it needs
 * @param mostStages at least 1
 * @returns no empty stage; the same for the same packages in any permissible order of equal ones
 */
export function stagePackages(
  packages: readonly WantedPackage[],
  mostStages: number,
): readonly (readonly PackageJob[])[] {
  let bands = levelsOf(packages);
  // Merging costs what could have been built side by side: first where nothing is lost, then where least is.
  for (;;) {
    const losses = bands.slice(1).map((band, index) => lossOf(bands[index] ?? [], band));
    const least = Math.min(...losses);
    const at = losses.indexOf(least);
    if (at < 0 || (least > 0 && bands.length <= mostStages)) break;
    bands = [...bands.slice(0, at), [...(bands[at] ?? []), ...(bands[at + 1] ?? [])], ...bands.slice(at + 2)];
  }
  return bands.map((band, stage) =>
    packed(componentsOf(band)).map((members, position) => ({
      id: `${stage + 1}-${position + 1}`,
      packages: members,
    })),
  );
}

/** Packages by the length of the longest chain below them. */
function levelsOf(packages: readonly WantedPackage[]): readonly (readonly WantedPackage[])[] {
  const depth = new Map<string, number>();
  const levels: WantedPackage[][] = [];
  for (const one of packages) {
    const level = Math.max(-1, ...one.after.map((hash) => depth.get(hash) ?? -1)) + 1;
    depth.set(one.hash, level);
    const members = levels[level] ?? [];
    members.push(one);
    levels[level] = members;
  }
  return levels;
}

/** How many jobs fewer there are at a time when two stages become one. */
function lossOf(first: readonly WantedPackage[], second: readonly WantedPackage[]): number {
  const widest = Math.max(componentsOf(first).length, componentsOf(second).length);
  return widest - componentsOf([...first, ...second]).length;
}

/** Packages that need one another, directly or through others of the band, together; each in the order given. */
function componentsOf(band: readonly WantedPackage[]): readonly (readonly WantedPackage[])[] {
  const parent = new Map(band.map(({ hash }) => [hash, hash]));
  const find = (hash: string): string => {
    let at = hash;
    for (let next = parent.get(at); next !== undefined && next !== at; next = parent.get(at)) at = next;
    parent.set(hash, at);
    return at;
  };
  for (const { hash, after } of band)
    for (const need of after) if (parent.has(need)) parent.set(find(hash), find(need));
  const components = new Map<string, WantedPackage[]>();
  for (const one of band) {
    const root = find(one.hash);
    const members = components.get(root) ?? [];
    members.push(one);
    components.set(root, members);
  }
  return [...components.values()];
}

/** At most as many jobs as a matrix may have: the rest is dealt out to them. */
function packed(components: readonly (readonly WantedPackage[])[]): readonly (readonly WantedPackage[])[] {
  if (components.length <= mostJobs) return components;
  const jobs: WantedPackage[][] = Array.from({ length: mostJobs }, () => []);
  for (const [index, members] of components.entries()) jobs[index % mostJobs]?.push(...members);
  return jobs;
}
