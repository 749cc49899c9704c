/** The section `include_concrete`: environments whose locks are part of this one. */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { YamlMap, YamlScalar } from "../definitions/positionedYaml.ts";
import type { ProblemList } from "../definitions/problems.ts";
import type { DagHash, SpecGraph } from "../spec/concrete.ts";
import { asSpacktainersError } from "../util/errors.ts";
import type { Machine } from "./machine.ts";
import { expandPath } from "./pathVariables.ts";
import type { IncludedEnvironment, Lock, LockRoot, ManifestReading } from "./types.ts";
import { plainKey } from "./yamlReader.ts";

/** Most environments that one environment may include. */
const mostEnvironments = 100;

/** What is needed to read the environments that are part of another one. */
export interface IncludedEnvironmentReader {
  readonly problems: ProblemList;
  readonly machine: Machine;
  /** Absolute folder that paths start from. */
  readonly folder: string;
}

/** How manifests and locks are read. */
export interface EnvironmentFiles {
  manifest(file: string): Promise<ManifestReading>;
  lock(file: string): Promise<Lock>;
  /** Manifests that are being read: an environment cannot be part of itself. */
  readonly above: readonly string[];
}

/**
 * Reads the environments that a manifest names. Each must have a manifest without errors; one without a lock adds nothing. Of
 * roots that several have only the first counts.
 */
export async function readIncludedEnvironments(
  reader: IncludedEnvironmentReader,
  sections: YamlMap,
  files: EnvironmentFiles,
): Promise<readonly IncludedEnvironment[]> {
  const { problems } = reader;
  const section = sections.entries.find(({ key }) => plainKey(key) === "include_concrete")?.value;
  if (section === undefined) return [];
  const seen = new Set<DagHash>();
  const environments: IncludedEnvironment[] = [];
  // Whatever is no text is reported with the section's shape.
  const scalars = (section.kind === "list" ? section.items : []).flatMap((item) =>
    item.kind === "scalar" && typeof item.value === "string" ? item : [],
  );
  for (const scalar of scalars) {
    if (environments.length >= mostEnvironments) {
      problems.error(
        "MANIFEST_INVALID",
        `more than ${mostEnvironments} environments are included`,
        scalar.place,
      );
      break;
    }
    const found = await readEnvironment(reader, scalar, files);
    if (found === undefined) continue;
    const roots = found.roots.filter(({ hash }) => !seen.has(hash));
    for (const { hash } of roots) seen.add(hash);
    environments.push({ ...found, roots });
  }
  return environments;
}

/** All environments, with those that they include themselves. */
function everyEnvironment(environments: readonly IncludedEnvironment[]): readonly IncludedEnvironment[] {
  return environments.flatMap((each) => [each, ...everyEnvironment(each.included)]);
}

/** Roots of included environments and of those that they include, in order. A root that is asked for in two ways is there twice. */
export function includedRoots(environments: readonly IncludedEnvironment[]): readonly LockRoot[] {
  const roots = new Map<string, LockRoot>();
  for (const environment of everyEnvironment(environments))
    for (const root of environment.roots) {
      const key = `${root.hash} ${root.request}`;
      if (!roots.has(key)) roots.set(key, root);
    }
  return [...roots.values()];
}

/** Everything that the locks of included environments know. */
export function includedGraph(environments: readonly IncludedEnvironment[]): SpecGraph {
  return new Map(everyEnvironment(environments).flatMap(({ graph }) => [...graph]));
}

async function readEnvironment(
  { problems, machine, folder }: IncludedEnvironmentReader,
  { text, place }: YamlScalar,
  files: EnvironmentFiles,
): Promise<IncludedEnvironment | undefined> {
  const wrong = (reason: string, hint?: string) => {
    problems.error("MANIFEST_INVALID", `\`${text}\` cannot be included: ${reason}`, place, hint);
    return undefined;
  };
  // Spack 0.x takes the paths as they are written.
  const { path, unknown } =
    machine.dialect === "0.x" ? { path: text, unknown: [] } : expandPath(text, machine);
  if (unknown.length > 0) return wrong(`\`${unknown[0]}\` has no value here`);
  const directory = resolve(folder, path);
  const manifest = join(directory, "spack.yaml");
  if (files.above.includes(manifest)) return wrong("the environments include one another in a circle");
  if (!(await isFile(manifest)))
    return wrong(
      "there is no environment",
      "it is a folder with a spack.yaml and a spack.lock; names of Spack's own environments are not known here",
    );
  const reading = await files.manifest(manifest);
  problems.add(reading);
  if (reading.environment === undefined) return undefined;
  const common = { path: text, place };
  const lockFile = join(directory, "spack.lock");
  if (!(await isFile(lockFile))) {
    problems.warning(
      "MANIFEST_INVALID",
      `\`${text}\` adds no packages: the environment has no spack.lock`,
      place,
      "`spack concretize` there writes it",
    );
    return { ...common, roots: [], graph: new Map(), included: reading.environment.included };
  }
  try {
    const lock = await files.lock(lockFile);
    return { ...common, roots: lock.roots, graph: lock.graph, included: nestedOf(lock, place) };
  } catch (thrown) {
    problems.add(asSpacktainersError(thrown, { file: lockFile }));
    return undefined;
  }
}

/** A lock knows the roots of what its environment includes; where these came from does not matter any more. */
function nestedOf(
  { includedRoots: roots, graph, file }: Lock,
  place: YamlScalar["place"],
): readonly IncludedEnvironment[] {
  return roots.length === 0 ? [] : [{ path: file, place, roots, graph, included: [] }];
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
