import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { type Digest, digestOf } from "./digest.ts";

/** A file as it is now. */
export interface FileState {
  /** Another one as soon as the file is another, or has other content, as far as the file system tells. */
  readonly key: Digest;
  /** Bytes. */
  readonly size: number;
  /**
   * Whether the file has been left alone for so long that a later change shows in `key`: some file systems tell times by the
   * second.
   */
  readonly isSettled: boolean;
}

/** Longer than the coarsest clock of a file system, in milliseconds. */
const coarsest = 2000;

/**
 * The state of a file, for what is remembered of its content.
 * @throws errors of the system
 */
export async function fileState(path: string): Promise<FileState> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  return {
    key: digestOf([resolve(path), dev, ino, size, mtimeNs, ctimeNs].join("\0")),
    size: Number(size),
    isSettled: Date.now() - Number(ctimeNs / 1_000_000n) > coarsest,
  };
}
