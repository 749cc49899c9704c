/** The small layer on top of an image: the view and what makes it usable. */
import { contentOf } from "../archive/content.ts";
import type { Entry, EntryStream } from "../archive/entry.ts";
import type { Inventory } from "../archive/inventory.ts";
import { imageMtime } from "../install/installPackage.ts";
import { SpacktainersError } from "../util/errors.ts";
import { environmentScriptPath } from "./environmentScript.ts";
import { imagePath, parentPath } from "./fileTree.ts";
import { ldSoCachePath } from "./ldSoCache.ts";
import { ldSoConfPath, ldSoConfText, viewLdSoConf, viewLdSoConfPath } from "./ldSoConf.ts";
import type { MergedView, ViewEntry } from "./types.ts";

/** Where the environment's own files are in an image. */
export const environmentFolder = "/opt/spack-environment";

/** What goes into the layer; whatever is left out is not written. */
export interface TopLayerParts {
  readonly view?: MergedView;
  /** Text of `/etc/profile.d/z10_spack_environment.sh`. */
  readonly script?: string;
  /** Public path of the view for `/etc/ld.so.conf.d`. */
  readonly libraryView?: string;
  /** The base has no `/etc/ld.so.conf`: write one. */
  readonly mainLdSoConf?: boolean;
  /** Bytes of `/etc/ld.so.cache`. */
  readonly cache?: Uint8Array;
  /** Texts of `/opt/spack-environment/spack.yaml` and `spack.lock`. */
  readonly manifest?: string;
  readonly lock?: string;
  /** Further files with mode 0644 or 0755, by absolute path, such as `/opt/software/bin/sbang`. */
  readonly files?: ReadonlyMap<string, { readonly content: string | Uint8Array; readonly mode: number }>;
}

/**
 * The entries of the top layer: parents first, sorted by path. They are the layer's inventory as well.
 * @throws SpacktainersError `VIEW_CONFLICT` when two parts have a file at one path
 */
export function topLayer(parts: TopLayerParts): readonly ViewEntry[] {
  const entries = new Map<string, ViewEntry>();
  for (const entry of parts.view?.entries ?? []) entries.set(entry.path, entry);
  const put = (path: string, content: string | Uint8Array | undefined, mode = 0o644): void => {
    if (content === undefined) return;
    const full = imagePath(path);
    if (entries.has(full))
      throw new SpacktainersError("VIEW_CONFLICT", `two files of the image are to be ${path}`);
    for (let parent = parentPath(full); parent !== ""; parent = parentPath(parent)) {
      const there = entries.get(parent);
      if (there === undefined) entries.set(parent, { path: parent, type: "directory", mode: 0o755, size: 0 });
      else if (there.type !== "directory")
        throw new SpacktainersError(
          "VIEW_CONFLICT",
          `/${parent} of the image would be a file and a directory`,
        );
    }
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    const isScript = bytes[0] === 0x23 && bytes[1] === 0x21;
    const shebang = isScript ? Buffer.from(bytes).toString("latin1").split("\n", 1)[0]?.slice(2) : undefined;
    const entry = { path: full, type: "file", mode, size: bytes.length, content: bytes } as const;
    entries.set(full, shebang === undefined ? entry : { ...entry, shebang });
  };
  put(environmentScriptPath, parts.script);
  if (parts.libraryView !== undefined) put(viewLdSoConfPath, viewLdSoConf(parts.libraryView));
  if (parts.mainLdSoConf === true) put(ldSoConfPath, ldSoConfText);
  put(ldSoCachePath, parts.cache);
  put(`${environmentFolder}/spack.yaml`, parts.manifest);
  put(`${environmentFolder}/spack.lock`, parts.lock);
  for (const [path, file] of parts.files ?? []) put(path, file.content, file.mode);
  return [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** The same entries without their contents: what is kept beside a layer. */
export function inventoryOf(entries: readonly ViewEntry[]): Inventory {
  return { entries: entries.map(({ content: _, ...entry }) => entry) };
}

/** The entries as they are written: owner root, one time for all. */
export async function* entryStream(entries: readonly ViewEntry[], mtime: number = imageMtime): EntryStream {
  for (const entry of entries) yield toEntry(entry, mtime);
}

function toEntry(entry: ViewEntry, mtime: number): Entry {
  const common = { path: entry.path, mode: entry.mode, uid: 0, gid: 0, mtime };
  if (entry.type === "directory") return { ...common, type: "directory" };
  if (entry.type !== "file") return { ...common, type: entry.type, target: entry.target ?? "" };
  const content = entry.content ?? new Uint8Array();
  return { ...common, type: "file", size: content.length, content: contentOf(content) };
}
