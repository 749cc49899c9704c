/** The definitions in a repository's folder: containers, and what none can be made of. */
import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { SpacktainersError } from "../util/errors.ts";
import { type Architecture, architectures } from "./configuration.ts";
import type { BrokenDefinition, Container } from "./container.ts";
import { didYouMean } from "./nearest.ts";

const epilogueName = "Dockerfile.epilogue";
/** Smoke tests in the folder of a definition. */
const testsName = "test.yaml";
/** A container's name is part of image names and paths. */
const namePattern = /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*$/;
/** How many folders `_parked` may be nested. */
const deepestParked = 4;

/** What is in a folder of definitions. */
export interface FoundDefinitions {
  /** Sorted by architecture, then name; parked ones too. */
  readonly containers: readonly Container[];
  readonly broken: readonly BrokenDefinition[];
  /** What is wrong with definitions, each once. */
  readonly errors: readonly SpacktainersError[];
  readonly warnings: readonly SpacktainersError[];
  /** Why the folder itself cannot be read: whatever is asked for may be in it. */
  readonly unreadable: SpacktainersError | undefined;
}

/** What has been found so far. */
interface Found {
  readonly containers: Container[];
  readonly broken: BrokenDefinition[];
  readonly errors: SpacktainersError[];
  readonly warnings: SpacktainersError[];
}

/** Lists the definitions in a folder, which need not exist. Their contents are not read. */
export async function findDefinitions(folder: string): Promise<FoundDefinitions> {
  const found: Found = { containers: [], broken: [], errors: [], warnings: [] };
  let top: readonly Dirent[];
  try {
    top = await entriesOf(folder);
  } catch (thrown) {
    const isThere = (thrown as NodeJS.ErrnoException).code !== "ENOENT";
    return {
      ...found,
      unreadable: isThere ? invalid(`the folder cannot be read: ${String(thrown)}`, folder) : undefined,
    };
  }
  for (const entry of top) await collectArchitecture(folder, entry, found);
  found.containers.sort((a, b) => {
    if (a.arch !== b.arch) return a.arch < b.arch ? -1 : 1;
    if (a.name !== b.name) return a.name < b.name ? -1 : 1;
    return a.path < b.path ? -1 : 1;
  });
  const twins = findTwins(folder, found);
  const broken = [...found.broken, ...twins];
  const isBroken = new Set(broken.map(({ path }) => path));
  const containers = found.containers.filter(({ path }) => !isBroken.has(path));
  return { ...found, containers, broken, unreadable: undefined };
}

function invalid(message: string, file: string, hint?: string): SpacktainersError {
  return new SpacktainersError("DEFINITION_INVALID", message, {
    place: { file },
    hint,
  });
}

function addBroken(
  found: Found,
  { name, arch, path, container }: Omit<BrokenDefinition, "kind" | "errors">,
  error: SpacktainersError,
): void {
  found.errors.push(error);
  found.broken.push({ kind: "broken", name, arch, path, container, errors: [error] });
}

/** Containers that would be one. Of a parked one and another, names mean the other. */
function findTwins(folder: string, found: Found): readonly BrokenDefinition[] {
  const broken = new Map<string, BrokenDefinition>();
  for (const [index, container] of found.containers.entries()) {
    const twin = found.containers[index - 1];
    if (twin === undefined || twin.arch !== container.arch || twin.name !== container.name) continue;
    const { name, arch, path } = container;
    const error = new SpacktainersError(
      "DEFINITION_INVALID",
      `there are two containers \`${name}\` for ${arch}`,
      {
        place: { file: path, line: 1, column: 1 },
        hint: `the other one is ${relative(dirname(folder), twin.path)}`,
      },
    );
    found.errors.push(error);
    if (twin.parked !== container.parked) continue;
    for (const one of [twin, container])
      broken.set(one.path, { kind: "broken", name, arch, path: one.path, container: one, errors: [error] });
  }
  const known = new Set(found.broken.map(({ path }) => path));
  return [...broken.values()].filter(({ path: at }) => !known.has(at));
}

/** Goes into the folder of an architecture. */
async function collectArchitecture(folder: string, entry: Dirent, found: Found): Promise<void> {
  const path = join(folder, entry.name);
  if (!(await isFolder(entry, path))) {
    if (!/\.(ya?ml|def)$/.test(entry.name)) return;
    const where = architectures.map((arch) => `${arch}/`).join(" or ");
    addBroken(
      found,
      { name: entry.name.replace(/\.\w+$/, ""), arch: undefined, path, container: undefined },
      invalid(`\`${entry.name}\` belongs in the folder of an architecture`, path, `move it to ${where}`),
    );
    return;
  }
  const parked = entry.name.startsWith("_");
  const name = entry.name.replace(/^_+/, "");
  const arch = architectures.find((known) => known === name);
  if (arch !== undefined) return collect(path, found, { arch, parked, depth: 0 });
  if (parked) return;
  const hint = didYouMean(name === "x86_64" ? "amd64" : name === "aarch64" ? "arm64" : name, architectures);
  addBroken(
    found,
    { name, arch: undefined, path, container: undefined },
    invalid(
      `\`${entry.name}\` is not an architecture`,
      path,
      hint ?? `use ${architectures.join(" or ")}; start the name with _ to leave the folder alone`,
    ),
  );
}

/** Where a folder is in the tree. */
interface FolderWalk {
  readonly arch: Architecture;
  readonly parked: boolean;
  readonly depth: number;
}

/** Finds the containers of an architecture folder, or of a parked folder in it. */
async function collect(folder: string, found: Found, { arch, parked, depth }: FolderWalk): Promise<void> {
  const entries = await entriesOf(folder).catch((error: unknown) => {
    if (!parked)
      addBroken(
        found,
        { name: basename(folder), arch, path: folder, container: undefined },
        invalid(`the folder cannot be read: ${String(error)}`, folder),
      );
    return [];
  });
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (await isFolder(entry, path)) await collectFolder(entry, depth, { path, arch, parked, found });
    else await collectFile(entry, found, { folder, arch, parked });
  }
}

/** A folder on the way. */
interface FolderEntry {
  readonly path: string;
  readonly arch: Architecture;
  readonly parked: boolean;
  readonly found: Found;
}

/** A folder of one container, or of parked ones. */
async function collectFolder(
  entry: Dirent,
  depth: number,
  { path, arch, parked, found }: FolderEntry,
): Promise<void> {
  const set = entry.name.startsWith("_");
  const place = { name: entry.name, arch, path, container: undefined };
  const names = await readdir(path).catch((error: unknown) => {
    if (!parked && !set)
      addBroken(found, place, invalid(`the folder cannot be read: ${String(error)}`, path));
    return undefined;
  });
  if (names === undefined) return;
  const below = new Set(names.sort());
  if (below.has("spack.yaml"))
    addContainer(found, {
      name: entry.name.replace(/^_+/, ""),
      arch,
      kind: "spack",
      path: join(path, "spack.yaml"),
      lock: below.has("spack.lock") ? join(path, "spack.lock") : undefined,
      epilogue: below.has(epilogueName) ? join(path, epilogueName) : undefined,
      tests: below.has(testsName) ? join(path, testsName) : undefined,
      parked: parked || set,
    });
  else if (set && depth < deepestParked) await collect(path, found, { arch, parked: true, depth: depth + 1 });
  else if (!parked && !set)
    addBroken(
      found,
      place,
      invalid(
        `the folder \`${entry.name}\` has no spack.yaml`,
        path,
        names.some((name) => /^spack\.ya?ml$/i.test(name))
          ? "the file must be called spack.yaml"
          : "add one, or let the folder's name start with _ to leave it alone",
      ),
    );
}

/** Where a file is in the tree. */
interface FileEntry {
  readonly folder: string;
  readonly arch: Architecture;
  readonly parked: boolean;
}

/** A container that is one file. */
async function collectFile(entry: Dirent, found: Found, { folder, arch, parked }: FileEntry): Promise<void> {
  const path = join(folder, entry.name);
  if (/.\.test\.ya?ml$/.test(entry.name)) return;
  const match = /^(_*)(.+)\.(yaml|yml|def)$/.exec(entry.name);
  if (match === null) {
    if (entry.name === epilogueName)
      found.warnings.push(invalid("this file belongs in the folder of a container", path));
    return;
  }
  const name = match[2] ?? entry.name;
  const lock = join(folder, `${name}.lock`);
  addContainer(found, {
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

function addContainer(found: Found, container: Container): void {
  found.containers.push(container);
  const { name, arch, path } = container;
  if (isContainerName(name)) return;
  addBroken(
    found,
    { name, arch, path, container },
    invalid(
      `\`${name}\` cannot be the name of a container`,
      path,
      "use lower-case letters and digits, with single `.`, `_` or `-` between them",
    ),
  );
}

/**
 * The container's name that is nearest to a name of a file or folder: lower case, `-` for what a name cannot have.
 *
 * @returns `container` where nothing is left
 */
export function containerNameFrom(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+|[._-]+$/g, "");
  return name === "" ? "container" : name;
}

/** True for what can be the name of a container. */
export function isContainerName(text: string): boolean {
  return namePattern.test(text);
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
    name: containerNameFrom(inFolder ? basename(folder) : stem),
    arch,
    kind: file.endsWith(".def") ? "def" : "spack",
    path,
    lock: (await isFile(lock)) ? lock : undefined,
    epilogue: inFolder && (await isFile(epilogue)) ? epilogue : undefined,
    tests: await firstFile([join(folder, inFolder ? testsName : `${stem}.test.yaml`)]),
    parked: false,
  };
}

async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter(({ name }) => !name.startsWith(".")).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A folder, or a link to one. */
async function isFolder(entry: Dirent, path: string): Promise<boolean> {
  if (entry.isDirectory()) return true;
  if (!entry.isSymbolicLink()) return false;
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/** True for a file, or a link to one. */
export async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ?? false;
}

async function firstFile(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await isFile(path)) return path;
  return undefined;
}
