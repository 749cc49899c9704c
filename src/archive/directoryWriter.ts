import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmdirSync,
  type Stats,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { SpacktainersError } from "../util/errors.ts";
import { type DirectoryEntry, type Entry, type FileEntry, imageMtime } from "./entry.ts";
import { baseName, fileSystemPath, joinEntryPath, nameOfBytes, parentPath, printable } from "./names.ts";

/** What to do with what is in the way, and whom files belong to. */
export interface DirectoryWriterOptions {
  /** `keep`: give files the owners they name (for root only). `ignore` (default): they belong to whoever runs us. */
  readonly owner?: "keep" | "ignore" | undefined;
  /** Replace files and links that were there before; otherwise they are refused. */
  readonly overwrite?: boolean;
  /**
   * `refuse` (default): a symbolic link among the directories of a path is an error. `within`: it is followed, with
   * `directory` taken as the root (as layers of an image need: `lib` may be a link to `usr/lib`).
   */
  readonly links?: "refuse" | "within";
  /** Let a file or link take the place of a whole directory, as layers of an image may. */
  readonly replaceDirectories?: boolean;
  /** Directories in which something changes keep their times, and new ones that no entry names get {@link imageMtime}. */
  readonly keepTimes?: boolean;
}

/** Mode and time a directory gets when all is in it. */
interface Finish {
  readonly mode: number;
  readonly mtime?: number;
}

/** Linux gives up after this many links in one path as well. */
const maxLinks = 40;
const isRoot = process.geteuid?.() === 0;

/**
 * Creates entries below a directory without ever leaving it: every directory of a path is examined (once) before it is
 * used, files are created new and never opened through a link. Not safe against other processes of the same user that
 * change the tree at the same time.
 *
 * System calls are made one after the other in the calling thread: for small files that is several times faster than
 * handing each to the thread pool.
 */
export class DirectoryWriter {
  /** Paths this writer has put there (directories on the way to them included). */
  readonly made = new Set<string>();
  /** Bytes of file content written. */
  bytes = 0;
  readonly #root: string;
  readonly #options: DirectoryWriterOptions;
  /** Directories that were examined: path as asked → real path below the root. */
  readonly #directories = new Map<string, string>([["", ""]]);
  readonly #finish = new Map<string, Finish>();

  /** @param directory must exist; may itself be reached through links */
  constructor(directory: string, options: DirectoryWriterOptions = {}) {
    this.#root = realpathSync(directory);
    this.#options = options;
  }

  /** Creates one entry. @throws SpacktainersError ARCHIVE_UNSAFE, ARCHIVE_INVALID, OUTPUT_EXISTS; errors of the system */
  async write(entry: Entry): Promise<void> {
    const path = this.#place(entry.path);
    switch (entry.type) {
      case "directory":
        this.#directory(path, entry);
        break;
      case "symlink":
        this.#create(path, (at) => symlinkSync(fileSystemPath(entry.target), at));
        this.#dress(path, entry);
        break;
      case "hardlink": {
        const from = this.#at(this.#place(entry.target));
        if (statOf(from)?.isDirectory() !== false)
          throw new SpacktainersError(
            "ARCHIVE_INVALID",
            `the hard link ${printable(entry.path)} is to ${printable(entry.target)}, which is not a file that came before`,
          );
        if (path !== this.#place(entry.target)) this.#create(path, (at) => linkSync(from, at));
        break;
      }
      case "file":
        await this.#file(path, entry);
        break;
    }
    this.made.add(path);
  }

  /** Gives directories their modes and times. To be called once, at the end. */
  finish(): void {
    const paths = [...this.#finish.keys()].sort((a, b) => b.length - a.length);
    for (const path of paths) {
      const finish = this.#finish.get(path);
      if (finish === undefined) continue;
      const at = this.#at(path);
      chmodSync(at, finish.mode);
      if (finish.mtime !== undefined) utimesSync(at, timeOf(finish.mtime), timeOf(finish.mtime));
    }
    this.#finish.clear();
  }

  /** Removes what lies at `path` and below it, other than what this writer has put there. */
  removeOthers(path: string): void {
    const real = this.#existing(path);
    if (real === undefined) return;
    if (!this.made.has(real)) this.#remove(real);
    else if (statOf(this.#at(real))?.isDirectory() === true) this.#removeChildren(real);
  }

  /** Removes what lies below the directory `path`, other than what this writer has put there. */
  removeOtherChildren(path: string): void {
    const real = this.#existing(path);
    if (real !== undefined && statOf(this.#at(real))?.isDirectory() === true) this.#removeChildren(real);
  }

  #removeChildren(real: string): void {
    this.#openForChange(real, lstatSync(this.#at(real)));
    for (const name of readdirSync(this.#at(real), { encoding: "buffer" })) {
      const child = joinEntryPath(real, nameOfBytes(name));
      if (!this.made.has(child)) this.#remove(child);
      else if (statOf(this.#at(child))?.isDirectory() === true) this.#removeChildren(child);
    }
  }

  /** The real path of something below the root if its directory is there, without creating anything. */
  #existing(path: string): string | undefined {
    const parent = this.#existingDirectory(parentPath(path), 0);
    return parent === undefined ? undefined : joinEntryPath(parent, baseName(path));
  }

  #existingDirectory(path: string, links: number): string | undefined {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const parent = this.#existingDirectory(parentPath(path), links);
    if (parent === undefined) return undefined;
    const here = joinEntryPath(parent, baseName(path));
    const facts = statOf(this.#at(here));
    if (facts === undefined) return undefined;
    if (facts.isDirectory()) return this.#enter(here, facts, links);
    return this.#existingDirectory(this.#linkTarget(here, facts, links), links + 1);
  }

  #at(path: string): string | Buffer {
    return fileSystemPath(path === "" ? this.#root : `${this.#root}/${path}`);
  }

  /** The real path for `path`, its directory made when missing. */
  #place(path: string): string {
    return joinEntryPath(this.#enterAll(parentPath(path), 0), baseName(path));
  }

  #enterAll(path: string, links: number): string {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const parent = parentPath(path);
    const here = joinEntryPath(this.#enterAll(parent, links), baseName(path));
    const real = this.#enter(here, statOf(this.#at(here)), links);
    this.#directories.set(path, real);
    return real;
  }

  /** Examines one directory whose parents were examined. @returns its real path */
  #enter(path: string, facts: Stats | undefined, links: number): string {
    if (facts === undefined) {
      mkdirSync(this.#at(path), 0o755);
      this.#finish.set(path, {
        mode: 0o755,
        ...(this.#options.keepTimes === true && { mtime: imageMtime }),
      });
      this.made.add(path);
      return path;
    }
    if (facts.isDirectory()) {
      this.#openForChange(path, facts);
      this.made.add(path);
      return path;
    }
    return this.#enterAll(this.#linkTarget(path, facts, links), links + 1);
  }

  /** Where something that is used as a directory and is none leads. */
  #linkTarget(path: string, facts: Stats, links: number): string {
    if (!facts.isSymbolicLink() || this.#options.links !== "within")
      throw new SpacktainersError(
        "ARCHIVE_UNSAFE",
        `${printable(path)} is used as a directory but is a ${facts.isSymbolicLink() ? "symbolic link" : "file"}`,
        { place: { file: `${this.#root}/${path}` } },
      );
    if (links >= maxLinks)
      throw new SpacktainersError("ARCHIVE_UNSAFE", `${printable(path)} is a circle of symbolic links`);
    const target = nameOfBytes(readlinkSync(this.#at(path), { encoding: "buffer" }));
    return resolveLink(parentPath(path), target);
  }

  /** A directory its owner may not use freely is opened for as long as we work; its time is noted where it is to stay. */
  #openForChange(path: string, facts: Stats): void {
    if (this.#finish.has(path)) return;
    const mode = facts.mode & 0o7777;
    const closed = !isRoot && (mode & 0o700) !== 0o700;
    if (this.#options.keepTimes === true) this.#finish.set(path, { mode, mtime: facts.mtimeMs / 1000 });
    else if (closed) this.#finish.set(path, { mode });
    if (closed) chmodSync(this.#at(path), mode | 0o700);
  }

  #directory(path: string, entry: DirectoryEntry): void {
    const at = this.#at(path);
    const facts = statOf(at);
    if (facts?.isDirectory() !== true) {
      if (facts !== undefined) this.#clear(path, facts);
      mkdirSync(at, entry.mode | 0o700);
    } else if (!isRoot && (facts.mode & 0o700) !== 0o700) {
      chmodSync(at, entry.mode | 0o700);
    }
    if (this.#options.owner === "keep") lchownSync(at, entry.uid, entry.gid);
    this.#directories.set(path, path);
    this.#finish.set(path, { mode: entry.mode, mtime: entry.mtime });
  }

  async #file(path: string, entry: FileEntry): Promise<void> {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    let file = -1;
    this.#create(path, (at) => {
      file = openSync(at, flags, 0o600);
    });
    try {
      let written = 0;
      for await (const chunk of entry.content) {
        for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at, chunk.length - at);
        written += chunk.length;
        this.bytes += chunk.length;
        if (written > entry.size) break;
      }
      if (written !== entry.size)
        throw new SpacktainersError(
          "ARCHIVE_INVALID",
          `the file ${printable(entry.path)} is not as long as announced`,
        );
      // The owner first: changing it takes set-user-ID bits away.
      if (this.#options.owner === "keep") fchownSync(file, entry.uid, entry.gid);
      fchmodSync(file, entry.mode);
      futimesSync(file, timeOf(entry.mtime), timeOf(entry.mtime));
    } finally {
      closeSync(file);
    }
  }

  /** Creates something new; makes room first when there is something and that is allowed. */
  #create(path: string, create: (at: string | Buffer) => void): void {
    const at = this.#at(path);
    try {
      create(at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      this.#clear(path, lstatSync(at));
      create(at);
    }
  }

  #clear(path: string, facts: Stats): void {
    const place = { file: `${this.#root}/${path}` };
    if (facts.isDirectory()) {
      if (this.#options.replaceDirectories !== true)
        throw new SpacktainersError("OUTPUT_EXISTS", `a directory is where ${printable(path)} should go`, {
          place,
        });
    } else if (this.#options.overwrite !== true && !this.made.has(path)) {
      throw new SpacktainersError("OUTPUT_EXISTS", `${printable(path)} exists already`, { place });
    }
    this.#remove(path);
  }

  /** Removes a file or a tree; forgets what was known of directories when it was or led to one. */
  #remove(path: string): void {
    const at = this.#at(path);
    const facts = statOf(at);
    if (facts === undefined) return;
    this.made.delete(path);
    if (!facts.isDirectory()) {
      unlinkSync(at);
      if (facts.isSymbolicLink()) this.#forgetDirectories();
      return;
    }
    if (!isRoot) chmodSync(at, 0o700);
    for (const name of readdirSync(at, { encoding: "buffer" }))
      this.#remove(joinEntryPath(path, nameOfBytes(name)));
    rmdirSync(at);
    this.#finish.delete(path);
    this.#forgetDirectories();
  }

  #forgetDirectories(): void {
    this.#directories.clear();
    this.#directories.set("", "");
  }

  #dress(path: string, entry: Entry): void {
    const at = this.#at(path);
    if (this.#options.owner === "keep") lchownSync(at, entry.uid, entry.gid);
    lutimesSync(at, timeOf(entry.mtime), timeOf(entry.mtime));
  }
}

function statOf(path: string | Buffer): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/**
 * Where a link's text leads when the tree is the root of everything: `..` above the root stays there.
 * @param directory where the link is, relative to the root
 */
export function resolveLink(directory: string, target: string): string {
  const stack = target.startsWith("/") || directory === "" ? [] : directory.split("/");
  for (const part of target.split("/")) {
    if (part === "..") stack.pop();
    else if (part !== "" && part !== ".") stack.push(part);
  }
  return stack.join("/");
}

/** A time for Node, which takes a negative number of seconds for the present. */
function timeOf(seconds: number): Date {
  return new Date(seconds * 1000);
}
