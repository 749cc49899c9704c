/** Where the files of a build cache are: the part of a cache that knows how to read bytes and nothing else. */
import type { Downloaded, DownloadOptions } from "../net/download.ts";
import type { EmitEvent } from "../util/events.ts";

/** What stores of every kind need to work. */
export interface StoreOptions {
  readonly emit: EmitEvent;
  readonly signal: AbortSignal | undefined;
  /** Further attempts after a passing failure, and the first pause in milliseconds (see `net/retry.ts`). */
  readonly retries?: number;
  readonly retryDelayMs?: number;
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

/**
 * A directory of files somewhere, for reading. Paths are relative, with `/`, and contain no `..`.
 * Errors are NETWORK, ACCESS_DENIED, NOT_FOUND and IO, with the place. (Writing will be a second interface beside it.)
 */
export interface CacheStore {
  readonly kind: "file" | "http" | "s3";
  /** The root without credentials, no slash at the end: for messages, and to tell caches apart. */
  readonly url: string;
  /** Identifies root and endpoint; keeps what is remembered locally of one cache apart from another's. */
  readonly id: string;
  /** URL (or path) of a file, without credentials. */
  locate(path: string): string;
  /** A whole file of at most `maxBytes`; with `version`, only if it is another version. */
  get(path: string, options: { readonly maxBytes: number; readonly version?: string }): Promise<StoredBytes>;
  /** `length` bytes from `start`, fewer where the file ends. */
  getRange(path: string, start: number, length: number): Promise<Uint8Array>;
  /** Facts about a file; undefined when it is not there. */
  stat(
    path: string,
  ): Promise<{ readonly size: number | undefined; readonly version: string | undefined } | undefined>;
  /** Downloads a file, see `downloadBytes`. */
  download(path: string, destination: string, options: DownloadOptions): Promise<Downloaded>;
  /** The file itself, where it lies on this machine. */
  localFile(path: string): string | undefined;
  /** Whether there is anything below a folder; undefined where the store cannot say. */
  hasFolder(path: string): Promise<boolean | undefined>;
  close(): Promise<void>;
}
