import { contentOf } from "../../archive/content.ts";
import { type Entry, type EntryStream, imageMtime } from "../../archive/entry.ts";
import type { Inventory } from "../../archive/inventory.ts";
import type { PrefixInspection } from "../../environment/prefixInspections.ts";
import { sbangScript } from "../../install/sbangScript.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../../spec/concrete.ts";
import { conflictNotice } from "../../view/conflictNotice.ts";
import type { EnvironmentModification } from "../../view/environmentModification.ts";
import { environmentScript, environmentScriptPath } from "../../view/environmentScript.ts";
import { type FileTree, imagePath } from "../../view/fileTree.ts";
import { type CachedLibrary, ldSoCachePath, librariesIn, writeLdSoCache } from "../../view/ldSoCache.ts";
import {
  cacheDirectories,
  type LdSoConfFiles,
  type LoaderArchitecture,
  ldSoConfPath,
  ldSoConfText,
  parseLdSoConf,
  viewLdSoConf,
  viewLdSoConfPath,
} from "../../view/ldSoConf.ts";
import { type OpenRecipes, recipeTexts } from "../../view/recipeChanges.ts";
import type { MergedView, ViewEntry } from "../../view/types.ts";
import { viewEnvironment } from "../../view/viewEnvironment.ts";

/** Folder with the environment's own files. */
const environmentFolder = "/opt/spack-environment";

/** What the top layer is made from. */
export interface TopLayerRequest {
  readonly architecture: LoaderArchitecture;
  readonly graph: SpecGraph;
  readonly roots: readonly DagHash[];
  readonly prefixes: ReadonlyMap<DagHash, string>;
  /** Install root: where sbang goes. */
  readonly root: string;
  /** Base and packages. The view and this layer are added to it. */
  readonly tree: FileTree;
  /** Of the packages. */
  readonly inventories: readonly Inventory[];
  readonly view: MergedView | undefined;
  readonly projectionOf?: ((spec: ConcreteSpec) => string) | undefined;
  /** Folders of prefixes that go to variables. */
  readonly inspections: readonly PrefixInspection[];
  readonly manifestChanges: readonly EnvironmentModification[];
  /** What reads recipes, where there are any that change the environment. */
  readonly openRecipes: OpenRecipes | undefined;
  readonly manifestText: string;
  readonly lockText: string;
}

/** The small layer above the packages: the view and everything that is derived from the packages together. */
export interface TopLayer {
  /** Parents first, sorted by path; files with their content. */
  readonly entries: readonly ViewEntry[];
  /** The whole image's files, this layer included. */
  readonly tree: FileTree;
  /** What `/etc/ld.so.cache` says. */
  readonly libraries: readonly CachedLibrary[];
  readonly modifications: readonly EnvironmentModification[];
  readonly notices: readonly string[];
}

/**
 * Makes the top layer: the view, the environment script, the environment's files, and the loader's configuration with
 * its cache. Pure.
 */
export function makeTopLayer(request: TopLayerRequest): TopLayer {
  const { view, tree } = request;
  if (view !== undefined) tree.add(view);
  const environment = viewEnvironment({
    graph: request.graph,
    roots: request.roots,
    prefixes: request.prefixes,
    tree,
    viewPath: view?.viewPath,
    inspections: request.inspections,
    manifest: request.manifestChanges,
    recipes: { texts: recipeTexts(request.inventories), open: request.openRecipes },
    projectionOf: request.projectionOf,
  });
  const files: ViewEntry[] = [
    textFile(`${environmentFolder}/spack.yaml`, request.manifestText),
    textFile(`${environmentFolder}/spack.lock`, request.lockText),
    textFile(environmentScriptPath, environmentScript(environment.modifications)),
  ];
  if (usesSbang(request.inventories, request.root))
    files.push(textFile(`${request.root}/bin/sbang`, sbangScript, 0o755));
  if (view !== undefined) files.push(textFile(viewLdSoConfPath, viewLdSoConf(view.viewPath)));
  // Read before our own files are there: what the base's configuration names comes before the view.
  const configured = tree.exists(ldSoConfPath) ? parseLdSoConf(configurationIn(tree)) : undefined;
  if (configured === undefined) files.push(textFile(ldSoConfPath, ldSoConfText));
  tree.add({ entries: files });
  const directories = cacheDirectories(request.architecture, view?.viewPath, configured);
  const libraries = librariesIn(tree, directories);
  const cache = file(ldSoCachePath, writeLdSoCache(libraries), 0o644);
  tree.add({ entries: [cache] });
  return {
    entries: [...(view?.entries ?? []), ...files, cache].sort((a, b) =>
      a.path < b.path ? -1 : a.path > b.path ? 1 : 0,
    ),
    tree,
    libraries,
    modifications: environment.modifications,
    notices: [...viewNotices(view), ...environment.notices],
  };
}

/** The loader's configuration files of a base, as its inventory kept them. */
function configurationIn(tree: FileTree): LdSoConfFiles {
  return {
    read: (path) => tree.resolve(path)?.entry.text,
    list: (path) => (tree.isDirectory(path) ? tree.children(tree.resolve(path)?.path ?? "") : []),
  };
}

/** What a user should know of a view: where it differs from what was asked for, and what it does not show. */
export function viewNotices(view: MergedView | undefined): readonly string[] {
  if (view === undefined) return [];
  const conflict = conflictNotice(view);
  return conflict === undefined ? view.notices : [...view.notices, conflict];
}

/** Entries with content in memory as a stream, with the owner and time of everything that spacktainers writes. */
export async function* streamEntries(entries: readonly ViewEntry[]): EntryStream {
  for (const entry of entries) yield streamEntry(entry);
}

function streamEntry({ path, type, mode, target = "", content = new Uint8Array() }: ViewEntry): Entry {
  const base = { path, mode, uid: 0, gid: 0, mtime: imageMtime };
  if (type === "directory") return { ...base, type };
  if (type === "file") return { ...base, type, size: content.length, content: contentOf(content) };
  return { ...base, type, target };
}

/** True if a script of the packages still needs sbang to be started. */
export function usesSbang(inventories: readonly Inventory[], root: string): boolean {
  const sbang = `${root}/bin/sbang`;
  return inventories.some(({ entries }) => entries.some(({ shebang }) => shebang?.includes(sbang) === true));
}

function textFile(path: string, text: string, mode = 0o644): ViewEntry {
  return file(path, Buffer.from(text, "utf8"), mode);
}

function file(path: string, content: Uint8Array, mode: number): ViewEntry {
  return { path: imagePath(path), type: "file", mode, size: content.length, content };
}
