import { asSpacktainersError } from "../util/errors.ts";
import { DirectoryWriter } from "./directoryWriter.ts";
import type { Entry, EntryStream } from "./entry.ts";

/** How to unpack. */
export interface UnpackOptions {
  /** `keep`: give files the owners they name (for root only). `ignore` (default): they belong to whoever runs us. */
  readonly owner?: "keep" | "ignore";
  /** Replace files and links that are there already; otherwise they are refused. */
  readonly overwrite?: boolean;
  /** Called for each entry when it is there. */
  readonly onEntry?: (entry: Entry) => void;
}

/** What was written. */
export interface UnpackSummary {
  readonly entries: number;
  /** Bytes of file content. */
  readonly bytes: number;
}

/**
 * Writes entries as files below a directory; root is not needed. Whatever the entries say, nothing outside the directory is
 * touched: links are never followed. Missing parents are made (mode 0755); modes and times are as the entries say.
 *
 * @param directory must exist
 * @throws SpacktainersError ARCHIVE_UNSAFE (a path leads through a link), ARCHIVE_INVALID (content or hard link wrong),
 *   OUTPUT_EXISTS (something is in the way), DISK_FULL and other errors of the system
 */
export async function unpackEntries(
  directory: string,
  entries: EntryStream,
  options: UnpackOptions = {},
): Promise<UnpackSummary> {
  try {
    const writer = new DirectoryWriter(directory, options);
    let count = 0;
    for await (const entry of entries) {
      await writer.write(entry);
      options.onEntry?.(entry);
      count++;
    }
    writer.finish();
    return { entries: count, bytes: writer.bytes };
  } catch (error) {
    throw asSpacktainersError(error, { file: directory });
  }
}

/** Prefix of the names that mark removals in a layer (OCI image specification, "Whiteouts"). */
const whiteoutPrefix = ".wh.";
/** The name that marks a directory whose lower contents are hidden. */
const opaqueName = ".wh..wh..opq";

/** What the name of an entry means in a layer. */
export type LayerMeaning =
  | { readonly kind: "entry" }
  /** `path` of lower layers goes away. */
  | { readonly kind: "removed"; readonly path: string }
  /** What lower layers have below `path` goes away. */
  | { readonly kind: "opaque"; readonly path: string }
  /** Bookkeeping of an old file system; means nothing. */
  | { readonly kind: "ignored" };

/** Tells whiteouts from ordinary entries (OCI image specification, "Image Layer Filesystem Changeset"). */
export function layerMeaning(path: string): LayerMeaning {
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  if (!name.startsWith(whiteoutPrefix)) return { kind: "entry" };
  const directory = slash < 0 ? "" : path.slice(0, slash);
  if (name === opaqueName) return { kind: "opaque", path: directory };
  const hidden = name.slice(whiteoutPrefix.length);
  if (hidden === "" || hidden === "." || hidden === ".." || hidden.startsWith(whiteoutPrefix))
    return { kind: "ignored" };
  return { kind: "removed", path: directory === "" ? hidden : `${directory}/${hidden}` };
}

/**
 * Applies a layer of an image on top of what lower layers left in a directory: entries replace what is there, whiteouts
 * remove it. Symbolic links among the directories are followed with the directory as the root, never out of it. Directories
 * have the times that layers give them, so that the same layers give the same twice.
 *
 * @param directory the root file system, must exist
 * @throws as {@link unpackEntries}
 */
export async function applyLayer(
  directory: string,
  entries: EntryStream,
  options: Pick<UnpackOptions, "owner" | "onEntry"> = {},
): Promise<UnpackSummary> {
  try {
    const writer = new DirectoryWriter(directory, {
      overwrite: true,
      links: "within",
      replaceDirectories: true,
      keepTimes: true,
      owner: options.owner,
    });
    let count = 0;
    for await (const entry of entries) {
      const meaning = layerMeaning(entry.path);
      if (meaning.kind === "entry") await writer.write(entry);
      else if (meaning.kind === "removed") writer.removeOthers(meaning.path);
      else if (meaning.kind === "opaque") writer.removeOtherChildren(meaning.path);
      options.onEntry?.(entry);
      count++;
    }
    writer.finish();
    return { entries: count, bytes: writer.bytes };
  } catch (error) {
    throw asSpacktainersError(error, { file: directory });
  }
}
