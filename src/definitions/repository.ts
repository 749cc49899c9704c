/** A repository of container definitions: finding it, reading its configuration, listing its containers. */
import { stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { SpacktainersError } from "../util/errors.ts";
import { readBounded } from "../util/readBounded.ts";
import {
  type Configuration,
  type ConfiguredFile,
  configurationFileName,
  defaultConfiguration,
  readConfiguration,
} from "./configuration.ts";
import type { BrokenDefinition, Container } from "./container.ts";
import { findDefinitions, isFile } from "./findDefinitions.ts";
import { yamlLimits } from "./positionedYaml.ts";
import { inOrderOfPlace, type Problems, problemList } from "./problems.ts";
import { loadSites } from "./sites.ts";

export type { BrokenDefinition, Container, Definition } from "./container.ts";
export { containerAtPath } from "./findDefinitions.ts";

/** A repository. Its configuration is the default one where its own has errors. Its problems are all that were found. */
export interface Repository extends Problems {
  /** Absolute. */
  readonly root: string;
  readonly configuration: Configuration;
  /** Sorted by architecture, then name; parked ones too. */
  readonly containers: readonly Container[];
  /** Definitions that no container can be made of: they concern those who ask for all, or for them. */
  readonly broken: readonly BrokenDefinition[];
  /** Errors that concern everybody: those of the configuration, and a folder of definitions that cannot be read. */
  readonly generalErrors: readonly SpacktainersError[];
}

/** Name of the folder of definitions when the configuration says nothing else. */
const definitionsFolder = "container_definitions";

/**
 * The folder at or above `start` that holds a `spacktainers.yaml` or `container_definitions/`; undefined when there is none.
 *
 * @param start absolute folder
 */
export async function findRepositoryRoot(start: string): Promise<string | undefined> {
  for (let folder = start; ; folder = dirname(folder)) {
    for (const name of [configurationFileName, definitionsFolder]) {
      const found = await stat(join(folder, name)).catch(() => undefined);
      if (found !== undefined && (name === configurationFileName ? found.isFile() : found.isDirectory()))
        return folder;
    }
    if (dirname(folder) === folder) return undefined;
  }
}

/**
 * Reads a repository's configuration and lists its containers. Collects every problem; the contents of `spack.yaml`
 * files are not read (see `readManifest`).
 *
 * @param root absolute folder; nothing in it need exist
 */
export async function loadRepository(root: string): Promise<Repository> {
  const problems = problemList();
  const written = await loadConfiguration(root, problems);
  const { sites, places } = await loadSites(root, written.sites, problems);
  const placeOf: Configuration["placeOf"] = (path) => {
    const ofSite = path[0] === "sites" ? places.get(String(path[1])) : undefined;
    return ofSite === undefined ? written.placeOf(path) : ofSite(path.slice(2));
  };
  const configuration = { ...written, sites, placeOf };
  const found = await findDefinitions(configuration.definitions);
  const generalErrors = [...problems.errors, ...(found.unreadable === undefined ? [] : [found.unreadable])];
  return {
    root,
    configuration,
    containers: found.containers,
    broken: found.broken,
    generalErrors: inOrderOfPlace(generalErrors),
    errors: inOrderOfPlace([...generalErrors, ...found.errors]),
    warnings: inOrderOfPlace([...problems.warnings, ...found.warnings]),
  };
}

/**
 * Reads a text file of bounded size.
 *
 * @throws {SpacktainersError} `DEFINITION_INVALID` when it is larger than `limit` bytes, `IO` when it is no file; system
 *   errors as they are
 */
export async function readTextFile(path: string, limit: number): Promise<string> {
  const bytes = await readBounded(path, limit);
  if (bytes === undefined)
    throw new SpacktainersError("DEFINITION_INVALID", `the file is larger than ${limit} bytes`, {
      place: { file: path },
    });
  return bytes.toString("utf8");
}

async function loadConfiguration(
  root: string,
  problems: ReturnType<typeof problemList>,
): Promise<Configuration> {
  const file = join(root, configurationFileName);
  let text: string;
  try {
    text = await readTextFile(file, yamlLimits.bytes);
  } catch (thrown) {
    if (thrown instanceof SpacktainersError) problems.add(thrown);
    else if ((thrown as NodeJS.ErrnoException).code !== "ENOENT")
      problems.error("CONFIG_INVALID", `the file cannot be read: ${String(thrown)}`, { file });
    return defaultConfiguration(root);
  }
  const reading = readConfiguration(text, file, root);
  problems.add(reading.problems);
  const configuration = reading.configuration ?? reading.sound;
  const hint = "the path starts from the folder of this file";
  for (const { what, path, place } of namedFiles(configuration))
    if (!(await isFile(path)))
      problems.error("CONFIG_INVALID", `${what} \`${relative(root, path)}\` does not exist`, place, hint);
  // Locked containers do without: whoever needs it refuses.
  const { facts } = configuration.spack;
  if (facts !== undefined && !(await isFile(facts.path)))
    problems.warning(
      "CONFIG_INVALID",
      `the file \`${relative(root, facts.path)}\` does not exist`,
      facts.place,
      hint,
    );
  return configuration;
}

/** The files that a configuration needs, other than what lies underneath, which may be made between `check` and `build`. */
function namedFiles({ caches, base, placeOf }: Configuration): readonly NamedFile[] {
  const keys = caches.flatMap(({ trust }) => trust.map((key) => ({ what: "the key file", ...key })));
  const keyrings = (base.kind === "debian" ? (base.keyring ?? []) : []).map((path) => ({
    what: "the key file",
    path,
    place: placeOf(["base", "keyring"]),
  }));
  return [...keys, ...keyrings];
}

interface NamedFile extends ConfiguredFile {
  readonly what: string;
}
