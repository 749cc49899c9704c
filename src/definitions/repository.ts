/** A repository of container definitions: finding it, reading its configuration, listing its containers. */
import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { SpacktainersError } from "../util/errors.ts";
import { readBounded } from "../util/readBounded.ts";
import {
  type Architecture,
  architectures,
  type Configuration,
  type ConfiguredFile,
  configurationFileName,
  defaultConfiguration,
  readConfiguration,
} from "./configuration.ts";
import { didYouMean } from "./nearest.ts";
import { yamlLimits } from "./positionedYaml.ts";
import { inOrderOfPlace, type Problems, problemList } from "./problems.ts";
import { loadSites } from "./sites.ts";

/** One container definition. */
export interface Container {
  readonly name: string;
  readonly arch: Architecture;
  /** `spack`: a Spack environment; `def`: an Apptainer definition file. */
  readonly kind: "spack" | "def";
  /** Absolute path of `spack.yaml`, `<name>.yaml` or `<name>.def`. */
  readonly path: string;
  /** Absolute path of the `spack.lock` beside it, if there is one. */
  readonly lock: string | undefined;
  /** Absolute path of the `Dockerfile.epilogue` beside it, if there is one. */
  readonly epilogue: string | undefined;
  /** Absolute path of its smoke tests (`test.yaml` beside `spack.yaml`, `<name>.test.yaml` beside `<name>.yaml`), if there are any. */
  readonly tests: string | undefined;
  /** In a folder that starts with `_`: listed, but not built unless asked for by path. */
  readonly parked: boolean;
}

/** A repository. Its configuration is the default one where its own has errors. */
export interface Repository extends Problems {
  /** Absolute. */
  readonly root: string;
  readonly configuration: Configuration;
  /** Sorted by architecture, then name; parked ones too. */
  readonly containers: readonly Container[];
}

/** Name of the folder of definitions when the configuration says nothing else. */
const definitionsFolder = "container_definitions";
const epilogueName = "Dockerfile.epilogue";
/** Smoke tests in the folder of a definition. */
const testsName = "test.yaml";
/** A container's name is part of image names and paths. */
const namePattern = /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*$/;
/** How many folders `_parked` may be nested. */
const deepestParked = 4;

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
  const containers = await listContainers(configuration.definitions, problems);
  return {
    root,
    configuration,
    containers,
    errors: inOrderOfPlace(problems.errors),
    warnings: inOrderOfPlace(problems.warnings),
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
  const hint = "it is looked for relative to the folder of this file";
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

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ?? false;
}

async function firstFile(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await isFile(path)) return path;
  return undefined;
}

async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter(({ name }) => !name.startsWith(".")).sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function listContainers(
  folder: string,
  problems: ReturnType<typeof problemList>,
): Promise<readonly Container[]> {
  let top: readonly Dirent[];
  try {
    top = await entriesOf(folder);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ENOENT")
      problems.error("DEFINITION_INVALID", `the folder cannot be read: ${String(thrown)}`, { file: folder });
    return [];
  }
  const found: Container[] = [];
  for (const entry of top) {
    const path = join(folder, entry.name);
    if (!(await isFolder(entry, path))) {
      if (/\.(ya?ml|def)$/.test(entry.name))
        problems.error(
          "DEFINITION_INVALID",
          `\`${entry.name}\` belongs into the folder of an architecture`,
          { file: path },
          `move it to ${architectures.map((arch) => `${arch}/`).join(" or ")}`,
        );
      continue;
    }
    const parked = entry.name.startsWith("_");
    const name = entry.name.replace(/^_+/, "");
    const arch = architectures.find((known) => known === name);
    if (arch === undefined) {
      if (parked) continue;
      const hint = didYouMean(
        name === "x86_64" ? "amd64" : name === "aarch64" ? "arm64" : name,
        architectures,
      );
      problems.error(
        "DEFINITION_INVALID",
        `\`${entry.name}\` is not an architecture`,
        { file: path },
        hint ?? `known are ${architectures.join(" and ")}; a folder that is to be left alone starts with _`,
      );
      continue;
    }
    await collect(path, arch, parked, 0, found, problems);
  }
  found.sort((a, b) => {
    if (a.arch !== b.arch) return a.arch < b.arch ? -1 : 1;
    if (a.name !== b.name) return a.name < b.name ? -1 : 1;
    return a.path < b.path ? -1 : 1;
  });
  for (const [index, container] of found.entries()) {
    const twin = found[index - 1];
    if (twin !== undefined && twin.arch === container.arch && twin.name === container.name)
      problems.error(
        "DEFINITION_INVALID",
        `there are two containers \`${container.name}\` for ${container.arch}`,
        { file: container.path, line: 1, column: 1 },
        `the other one is ${relative(dirname(folder), twin.path)}`,
      );
  }
  return found;
}

/** A folder, or a link to one. */
async function isFolder(entry: Dirent, path: string): Promise<boolean> {
  if (entry.isDirectory()) return true;
  if (!entry.isSymbolicLink()) return false;
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/** Finds the containers of an architecture folder, or of a parked folder in it. */
async function collect(
  folder: string,
  arch: Architecture,
  parked: boolean,
  depth: number,
  found: Container[],
  problems: ReturnType<typeof problemList>,
): Promise<void> {
  const add = (container: Container) => {
    if (!namePattern.test(container.name))
      problems.error(
        "DEFINITION_INVALID",
        `\`${container.name}\` cannot be the name of a container`,
        { file: container.path },
        "use lower-case letters and digits, with single `.`, `_` or `-` between them",
      );
    found.push(container);
  };
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (await isFolder(entry, path)) {
      const below = new Set((await readdir(path)).sort());
      const set = entry.name.startsWith("_");
      if (below.has("spack.yaml"))
        add({
          name: entry.name.replace(/^_+/, ""),
          arch,
          kind: "spack",
          path: join(path, "spack.yaml"),
          lock: below.has("spack.lock") ? join(path, "spack.lock") : undefined,
          epilogue: below.has(epilogueName) ? join(path, epilogueName) : undefined,
          tests: below.has(testsName) ? join(path, testsName) : undefined,
          parked: parked || set,
        });
      else if (set && depth < deepestParked) await collect(path, arch, true, depth + 1, found, problems);
      else if (!parked && !set)
        problems.error(
          "DEFINITION_INVALID",
          `the folder \`${entry.name}\` has no spack.yaml`,
          { file: path },
          [...below].some((name) => /^spack\.ya?ml$/i.test(name))
            ? "the file must be called spack.yaml"
            : "add one, or let the folder's name start with _ to leave it alone",
        );
      continue;
    }
    if (/.\.test\.ya?ml$/.test(entry.name)) continue;
    const match = /^(_*)(.+)\.(yaml|yml|def)$/.exec(entry.name);
    if (match === null) {
      if (entry.name === epilogueName)
        problems.warning("DEFINITION_INVALID", "this belongs into the folder of a container", { file: path });
      continue;
    }
    const name = match[2] ?? entry.name;
    const lock = join(folder, `${name}.lock`);
    add({
      name,
      arch,
      kind: match[3] === "def" ? "def" : "spack",
      path,
      lock: match[3] !== "def" && (await isFile(lock)) ? lock : undefined,
      epilogue: undefined,
      tests: await firstFile([join(folder, `${name}.test.yaml`)]),
      parked: parked || match[1] !== "",
    });
  }
}

/** A container that is not part of a repository: a `spack.yaml`, or a folder with one. `undefined` if it is neither. */
export async function containerAtPath(path: string, arch: Architecture): Promise<Container | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  if (found.isDirectory()) {
    const manifest = join(path, "spack.yaml");
    if (!(await isFile(manifest))) return undefined;
    return containerAtPath(manifest, arch);
  }
  if (!/\.(ya?ml|def)$/.test(path)) return undefined;
  const folder = dirname(path);
  const file = basename(path);
  const inFolder = file === "spack.yaml";
  const stem = file.replace(/\.(ya?ml|def)$/, "");
  const lock = join(folder, inFolder ? "spack.lock" : `${stem}.lock`);
  const epilogue = join(folder, epilogueName);
  return {
    name: inFolder ? basename(folder) : stem,
    arch,
    kind: file.endsWith(".def") ? "def" : "spack",
    path,
    lock: (await isFile(lock)) ? lock : undefined,
    epilogue: inFolder && (await isFile(epilogue)) ? epilogue : undefined,
    tests: await firstFile([join(folder, inFolder ? testsName : `${stem}.test.yaml`)]),
    parked: false,
  };
}
