/** What an image's files say about where it can run. Nothing of the image is executed. */
import { readContent } from "../archive/content.ts";
import type { EntryStream, FileEntry } from "../archive/entry.ts";
import type { InventoryEntry } from "../archive/inventory.ts";
import { collectInventory } from "../base/collectInventory.ts";
import { watchDpkgStatus } from "../base/dpkgStatus.ts";
import { compareLibcVersions, libcVersionOf } from "../base/libc.ts";
import { type LayerChange, mergeInventories, splitWhiteouts } from "../base/mergeInventories.ts";
import type { BasePackage } from "../base/types.ts";
import { lockLimit, readLock } from "../environment/lock.ts";
import { runtimeClosure } from "../spec/closure.ts";
import type { ConcreteSpec } from "../spec/concrete.ts";
import { SpacktainersError } from "../util/errors.ts";
import { FileTree, imagePath } from "../view/fileTree.ts";
import type { CachedLibrary } from "../view/ldSoCache.ts";
import { readLdSoCache } from "../view/readLdSoCache.ts";
import { contentProfile } from "./contentProfile.ts";
import { applyEnvironmentScripts, environmentScriptPattern } from "./environmentScripts.ts";
import type { ImageProfile, PackageFact, ProgramFact } from "./imageProfile.ts";
import {
  describeMpiLibrary,
  type MpiLibrary,
  mpiLibraryPattern,
  type PmiSupport,
  pmiOfLibrary,
  pmiOfOpenMpiComponent,
} from "./mpiLibrary.ts";

const lockPath = "opt/spack-environment/spack.lock";
const cachePath = "etc/ld.so.cache";
const scriptPath = "etc/profile.d/z10_spack_environment.sh";
const preloadPath = "etc/ld.so.preload";
const bundledPattern = /(?:^|\/)(libfabric|libcxi|libpmi2?|libpmix|libxpmem|libibverbs)\.so(?:\.[\d.]+)?$/;
const testPath = ".singularity.d/test";
const maxCacheBytes = 64 * 2 ** 20;
const maxScriptBytes = 2 ** 20;
/** An MPI library is read whole. */
const maxLibraryBytes = 2 ** 29;

/** What an image's configuration says. */
export interface RunSettings {
  readonly architecture: string;
  readonly env: readonly string[];
  /** Entrypoint and command; undefined where scripts in the image say how it is started. */
  readonly start: readonly string[] | undefined;
  readonly workdir: string;
}

/** What is kept of files while layers pass by, by path in inventory form. */
interface Kept {
  lock: Buffer | undefined;
  cache: Buffer | undefined;
  script: string | undefined;
  preload: string | undefined;
  /** `%environment` and the like, of an Apptainer image. */
  readonly environment: Map<string, string>;
  readonly mpi: Map<string, MpiLibrary>;
}

/**
 * Gathers the facts of an image from the entries of its layers.
 *
 * @param layers from bottom to top; whiteouts as the OCI specification has them. A root file system is one layer.
 * @param config what the image's configuration says
 * @throws SpacktainersError ARCHIVE_INVALID, LOCK_INVALID
 */
export async function collectImageProfile(
  layers: readonly (() => EntryStream)[],
  config: RunSettings,
): Promise<ImageProfile> {
  const changes: LayerChange[] = [];
  const kept: Kept = {
    lock: undefined,
    cache: undefined,
    script: undefined,
    preload: undefined,
    environment: new Map(),
    mpi: new Map(),
  };
  let packages: readonly BasePackage[] = [];
  for (const layer of layers) {
    const watch = watchDpkgStatus(layer());
    const collected = collectInventory(keeping(watch.entries, kept), { addParents: false });
    const bytes = new Map<string, Buffer>();
    for await (const entry of collected.entries)
      if (entry.type === "file" && mpiLibraryPattern.test(entry.path) && entry.size > 0)
        bytes.set(entry.path, await readContent(entry, maxLibraryBytes));
    const inventory = collected.inventory();
    for (const { path, elf } of inventory.entries) {
      const content = bytes.get(path);
      if (content === undefined || elf === undefined) continue;
      const described = describeMpiLibrary(`/${path}`, content, elf);
      if (described !== undefined) kept.mpi.set(path, described);
    }
    changes.push(splitWhiteouts(inventory));
    packages = watch.packages() ?? packages;
  }
  const inventory = mergeInventories(changes);
  const tree = new FileTree([inventory]);
  const locked = kept.lock === undefined || !tree.exists(lockPath) ? undefined : lockedSpecs(kept.lock);
  const lock = locked?.specs.map(({ name, version, hash, target }) => ({
    name,
    version,
    hash,
    target,
    root: locked.roots.includes(hash),
  }));
  const owner = ownerOf(lock ?? []);
  const cache = tree.exists(cachePath) && kept.cache !== undefined ? tryReadCache(kept.cache) : undefined;
  const cached = cache === undefined || typeof cache === "string" ? undefined : cache;
  const script = tree.exists(scriptPath) ? kept.script : undefined;
  const scripts = [...kept.environment].filter(([path]) => tree.exists(path)).sort(byFirst);
  const env = applyEnvironmentScripts(
    scripts.map(([, text]) => text),
    config.env,
  );
  const libraryPath = env.find((line) => line.startsWith("LD_LIBRARY_PATH="));
  const libc = libcVersionOf(inventory, packages);
  const contents = contentProfile({
    tree,
    architecture: config.architecture,
    specs: locked?.specs ?? [],
    cache: cached ?? [],
    env: new Map(env.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)])),
    start: config.start,
    workdir: config.workdir,
    preload: tree.exists(preloadPath) ? kept.preload : undefined,
    libc,
  });
  return {
    ...contents,
    architecture: config.architecture,
    packages: lock,
    libc,
    libcNeeded: newestLibc(inventory.entries),
    mpi: [...kept.mpi]
      .filter(([path]) => tree.at(path)?.type === "file")
      .map(([, library]) =>
        withComponents(
          { ...library, version: library.version ?? owner(library.path)?.version },
          inventory.entries,
        ),
      )
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
    bundled: inventory.entries.flatMap((entry) => {
      const name = entry.type === "file" ? bundledPattern.exec(entry.path)?.[1] : undefined;
      if (name === undefined) return [];
      const path = `/${entry.path}`;
      return [{ name, path, soname: entry.elf?.soname, version: owner(path)?.version }];
    }),
    cachedMpi: cached
      ?.filter(({ name }) => /^libmpi/.test(name))
      .map(({ name, path }) => {
        const found = tree.resolve(path);
        return { name, path, file: found === undefined ? undefined : `/${found.path}` };
      }),
    cacheTrouble: typeof cache === "string" ? cache : undefined,
    environmentScript:
      script === undefined || !/\bLD_LIBRARY_PATH\b/.test(script)
        ? undefined
        : { path: `/${scriptPath}`, keepsHostLibraries: keepsLibraryPath(script) },
    libraryPath: libraryPath?.slice("LD_LIBRARY_PATH=".length),
    mpiexec: pathOf(env)
      .map((folder) => `${folder}/mpiexec`)
      .find((path) => tree.exists(path)),
    programs: programsOf(tree, lock ?? []),
    commands: commandsOf(tree, pathOf(env)),
    test: tree.at(testPath)?.type === "file" ? `/${testPath}` : undefined,
  };
}

/** Whether a script that sets LD_LIBRARY_PATH leaves what Apptainer put there: it names the place, or goes on from the value. */
function keepsLibraryPath(script: string): boolean {
  if (script.includes("/.singularity.d/libs")) return true;
  const assigned = script.split("\n").filter((line) => /(?:^|[\s;])LD_LIBRARY_PATH=/.test(line));
  return assigned.every((line) => /=.*\$\{?LD_LIBRARY_PATH\b/.test(line));
}

async function* keeping(entries: EntryStream, kept: Kept): EntryStream {
  for await (const entry of entries) {
    if (entry.type !== "file") {
      yield entry;
      continue;
    }
    const limit = limitOf(entry.path);
    if (limit === undefined) {
      yield entry;
      continue;
    }
    const bytes = await readContent(entry, limit);
    if (entry.path === lockPath) kept.lock = bytes;
    else if (entry.path === cachePath) kept.cache = bytes;
    else if (entry.path === scriptPath) kept.script = bytes.toString("utf8");
    else if (entry.path === preloadPath) kept.preload = bytes.toString("utf8");
    else kept.environment.set(entry.path, bytes.toString("utf8"));
    yield { ...entry, content: pieces(bytes) } satisfies FileEntry;
  }
}

/** Most bytes of a file that is kept; undefined for all others. */
function limitOf(path: string): number | undefined {
  if (path === lockPath) return lockLimit;
  if (path === cachePath) return maxCacheBytes;
  return path === scriptPath || path === preloadPath || environmentScriptPattern.test(path)
    ? maxScriptBytes
    : undefined;
}

function byFirst([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function* pieces(bytes: Buffer): AsyncGenerator<Uint8Array, void, void> {
  if (bytes.length > 0) yield bytes;
}

/** What runs of the lock in an image, and which of it was asked for. */
function lockedSpecs(bytes: Buffer): {
  readonly specs: readonly ConcreteSpec[];
  readonly roots: readonly string[];
} {
  const lock = readLock(bytes.toString("utf8"), `/${lockPath}`);
  const roots = [...lock.roots, ...lock.includedRoots].map(({ hash }) => hash);
  return { specs: runtimeClosure(lock.graph, roots).packages, roots };
}

/** Finds the package that a path belongs to by the hash in its prefix. */
function ownerOf(packages: readonly PackageFact[]): (path: string) => PackageFact | undefined {
  const byHash = new Map(packages.map((one) => [one.hash, one]));
  return (path) => {
    for (const [, hash = ""] of path.matchAll(/-([a-z2-7]{32})(?=\/)/g)) {
      const found = byHash.get(hash);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

function tryReadCache(bytes: Buffer): readonly CachedLibrary[] | string {
  try {
    return readLdSoCache(bytes, `/${cachePath}`);
  } catch (error) {
    if (error instanceof SpacktainersError) return error.message;
    throw error;
  }
}

function newestLibc(entries: readonly InventoryEntry[]): ImageProfile["libcNeeded"] {
  let newest: ImageProfile["libcNeeded"];
  for (const { path, elf } of entries)
    for (const versions of Object.values(elf?.versionsNeeded ?? {}))
      for (const text of versions) {
        const version = /^GLIBC_(\d+\.\d+)(?:\.\d+)?$/.exec(text)?.[1];
        if (
          version !== undefined &&
          (newest === undefined || compareLibcVersions(version, newest.version) > 0)
        )
          newest = { version, path: `/${path}` };
      }
  return newest;
}

/** Adds what components and further libraries in the image say about an MPI library's ways to meet a launcher. */
function withComponents(library: MpiLibrary, entries: readonly InventoryEntry[]): MpiLibrary {
  if (library.family !== "openmpi") return library;
  const found: PmiSupport[] = [...library.pmi];
  for (const { path, elf } of entries) {
    const component = pmiOfOpenMpiComponent(`/${path}`);
    const needed = /\/libopen-(?:pal|rte)\.so[.\d]*$/.test(path)
      ? (elf?.needed ?? []).flatMap(pmiOfLibrary)
      : [];
    for (const support of [...(component === undefined ? [] : [component]), ...needed])
      if (!found.some(({ flavour }) => flavour === support.flavour)) found.push(support);
  }
  return { ...library, pmi: found };
}

function pathOf(env: readonly string[]): readonly string[] {
  const line = env.findLast((each) => each.startsWith("PATH="));
  return (line ?? "PATH=/usr/bin:/bin")
    .slice("PATH=".length)
    .split(":")
    .filter((folder) => folder.startsWith("/"));
}

/** Programs of the packages that were asked for, as they are in their own prefixes. */
function programsOf(tree: FileTree, packages: readonly PackageFact[]): readonly ProgramFact[] {
  const roots = new Map(packages.filter(({ root }) => root).map((one) => [one.hash, one]));
  const programs: ProgramFact[] = [];
  for (const [path, entry] of tree.entries()) {
    const match = /-([a-z2-7]{32})\/bin\/[^/]+$/.exec(imagePath(path));
    const owner = roots.get(match?.[1] ?? "");
    if (owner === undefined || entry.type === "directory") continue;
    const resolved = tree.resolve(path);
    if (resolved?.entry.type !== "file" && resolved?.entry.type !== "hardlink") continue;
    const target = tree.hardLinkTarget(resolved).entry;
    if ((target.mode & 0o111) === 0) continue;
    programs.push({ path: `/${path}`, package: owner.name, interpreter: target.elf?.interpreter });
  }
  return programs.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Folders of a base system. */
const systemFolder = /^\/(?:usr\/(?:local\/)?)?s?bin$/;

/** Names of what can be executed in the folders of the search path that are not the base system's. */
function commandsOf(tree: FileTree, folders: readonly string[]): readonly string[] {
  const own = folders.filter((folder) => !systemFolder.test(folder));
  const real = new Set(own.flatMap((folder) => tree.resolve(folder)?.path ?? []));
  const names = new Set<string>();
  for (const [path, entry] of tree.entries()) {
    const at = path.lastIndexOf("/");
    if (entry.type === "directory" || !real.has(path.slice(0, Math.max(at, 0)))) continue;
    const found = tree.resolve(path);
    if (found?.entry.type !== "file" && found?.entry.type !== "hardlink") continue;
    if ((tree.hardLinkTarget(found).entry.mode & 0o111) !== 0) names.add(path.slice(at + 1));
  }
  return [...names].sort();
}
