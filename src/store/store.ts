/** Places for files - a directory, an HTTP server, an S3 bucket - that know nothing of what the files are. */
import type { Downloaded, DownloadOptions } from "../net/download.ts";
import type { EmitEvent } from "../util/events.ts";

/** Where a store is. */
export interface StoreSource {
  /** `file:`, `http(s):` or `s3:` URL, or a path. */
  readonly url: string;
  /** S3 only. */
  readonly s3?: S3Settings | undefined;
}

/** How to reach an S3 server; what is not said is found as the AWS tools find it. */
export interface S3Settings {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
  readonly anonymous?: boolean | undefined;
}

/** What stores of every kind need to work. */
export interface StoreOptions {
  readonly emit: EmitEvent;
  readonly signal: AbortSignal | undefined;
  /** Further attempts after a passing failure, and the first pause in milliseconds (see `net/retry.ts`). */
  readonly retries?: number | undefined;
  readonly retryDelayMs?: number | undefined;
}

/** Answer to a read. */
export interface StoredBytes {
  /** `unchanged`: the file still has the version asked about. */
  readonly status: "found" | "unchanged" | "missing";
  /** Empty unless found. */
  readonly bytes: Uint8Array;
  /** Changes whenever the file does; undefined where the store cannot say. */
  readonly version: string | undefined;
}

/** Facts about a file. */
export interface FileStat {
  /** Bytes; undefined where the store does not say. */
  readonly size: number | undefined;
  readonly version: string | undefined;
  /** When it was written, in milliseconds since 1970; undefined where the store does not say. */
  readonly modified?: number | undefined;
}

/** A file in a listing. */
export interface ListedFile extends FileStat {
  /** Below the root of the store. */
  readonly path: string;
}

/** Where large files come from: the part of a store that others can stand in for. */
export interface FileSource {
  /** The file itself, where it lies on this machine. */
  localFile(path: string): string | undefined;
  /** URL (or path) of a file, without credentials. */
  locate(path: string): string;
  /** `length` bytes from `start`, fewer where the file ends. Throws NOT_FOUND. */
  getRange(path: string, start: number, length: number): Promise<Uint8Array>;
  /** Facts about a file; undefined when it is not there. */
  stat(path: string): Promise<FileStat | undefined>;
  /** Downloads a file, see `downloadBytes`. */
  download(path: string, destination: string, options: DownloadOptions): Promise<Downloaded>;
}

/**
 * A place for files. Paths are relative, with `/`, and contain no `..`.
 * Errors are NETWORK, ACCESS_DENIED, NOT_FOUND and IO, with the place; CACHE_UNAVAILABLE where the store itself is not there.
 */
export interface Store extends FileSource {
  /** What kind of place it is; `file`: folders of this machine, where paths are names of files. */
  readonly kind: string;
  /** The root without credentials, no slash at the end: for messages, and to tell stores apart. */
  readonly url: string;
  /** Identifies root and endpoint; keeps what is remembered locally of one store apart from another's. */
  readonly id: string;
  /** A whole file of at most `maxBytes`; with `version`, only if it is another version. */
  get(
    path: string,
    options: { readonly maxBytes: number; readonly version?: string | undefined },
  ): Promise<StoredBytes>;
  /** Whether there is anything below a folder; undefined where the store cannot say. */
  hasFolder(path: string): Promise<boolean | undefined>;
  /**
   * All files below a folder (`""`: all there are), in no order; undefined for a store that cannot list. What is there
   * unfinished is left out.
   */
  readonly list: ((folder: string) => AsyncIterable<ListedFile>) | undefined;
  /** Changes the store; undefined for a store that can only be read. */
  readonly writer: StoreWriter | undefined;
  close(): Promise<void>;
}

/** What is put into a store: bytes, or a file of this machine and its size in bytes. */
export type Content = Uint8Array | { readonly path: string; readonly size: number };

/** What must be so for a file to be written: that it is not there, or still has a version. */
export type PutCondition = "absent" | { readonly version: string };

/** How to put a file. */
export interface PutOptions {
  /** For stores that keep it. */
  readonly mediaType?: string;
  readonly cacheControl?: string;
  readonly condition?: PutCondition | undefined;
  /** Told the bytes that arrived since the last call. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** Outcome of a write. */
export type PutResult =
  /** The version is that of what was written; undefined where the store does not say. */
  | { readonly written: true; readonly version: string | undefined }
  /** The condition does not hold, and nothing was changed. */
  | { readonly written: false };

/** Writing into a store. A file is there as a whole or not at all; what was sent of a write that fails is removed. */
export interface StoreWriter {
  /**
   * Puts a file, replacing one that is there. With a condition, of several that write at once only one does, where the store
   * can tell (all of Amazon's can; of others those that know `If-Match` for writing).
   */
  put(path: string, content: Content, options?: PutOptions): Promise<PutResult>;
  /** Removes a file; one that is not there is no error. */
  delete(path: string): Promise<void>;
  /**
   * Tries whether files could be put: nothing is there afterwards that was not before.
   *
   * @throws as `put` would: ACCESS_DENIED, NOT_FOUND (no such bucket), NETWORK, IO
   */
  expectWritable(): Promise<void>;
}
