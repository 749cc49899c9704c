/**
 * Files on their way into an image: what a tar entry says, independent of tar.
 *
 * Paths are relative to the image's root, without leading or trailing slash, components separated by `/`, never `.` or
 * `..`. Bytes of a name that are not UTF-8 are kept as lone surrogates U+DC80…U+DCFF (as Python's surrogateescape), so
 * that every name survives a round trip.
 */
export interface EntryBase {
  readonly path: string;
  /** Permission bits, `0o7777` at most. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Extended attributes by name (`security.capability`), where they are kept. */
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

export interface DirectoryEntry extends EntryBase {
  readonly type: "directory";
}

export interface SymlinkEntry extends EntryBase {
  readonly type: "symlink";
  /** The link's text, verbatim. */
  readonly target: string;
}

/** Another name of a file that came earlier in the same stream. */
export interface HardlinkEntry extends EntryBase {
  readonly type: "hardlink";
  /** Path of the earlier entry. */
  readonly target: string;
}

export interface FileEntry extends EntryBase {
  readonly type: "file";
  /** Bytes. */
  readonly size: number;
  /** The file's bytes, to be read once and in order; exactly `size` of them. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** An entry with its content still to be read. A consumer must finish (or break out of) `content` before asking for the next entry. */
export type Entry = DirectoryEntry | SymlinkEntry | HardlinkEntry | FileEntry;

/**
 * Modification time of everything that has no other reason for one, in seconds: 1980-01-02 00:00 UTC. Not 0, which is what
 * Spack leaves: zip archives cannot hold a time before 1980 in any time zone, so Python could not pack a wheel of such files.
 */
export const imageMtime = 315_619_200;

/** Entries in order. Parents come before children; a hard link after the file it names. */
export type EntryStream = AsyncIterable<Entry>;
