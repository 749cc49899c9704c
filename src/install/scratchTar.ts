/** What a large archive unpacks to, kept between two readings in a file that has no name any more. */
import { type FileHandle, open, rm, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { SpacktainersError } from "../util/errors.ts";

/**
 * Reads the bytes of a tar from its beginning.
 * @param onRead called with the number of bytes of the archive that were read for it
 */
export type TarBytes = (onRead: (bytes: number) => void) => AsyncIterable<Uint8Array>;

/** A file of at most so many bytes is made, and only where so many are free: the image needs the room more. */
const scratchLimits = { bytes: 2 ** 31, free: 2 ** 33 } as const;

/** Pieces in which what is in a file is read. */
const filePieceSize = 2 ** 20;

/** What an archive unpacks to. */
export interface ScratchTar {
  /** Starts from the beginning, after a reading that may have been left early. */
  begin(): void;
  /** Adds to it. What cannot be written is no error: the archive is unpacked again then. */
  add(chunk: Uint8Array): Promise<void>;
  /** It is all there. @param size bytes of the archive */
  complete(size: number): void;
  /** Reads it, if it is all there. */
  kept(): TarBytes | undefined;
  close(): Promise<void>;
}

/**
 * Opens one.
 * @param path of the file, which is unlinked as soon as it is open; undefined: there is no place for it
 */
export function openScratchTar(path: string | undefined): ScratchTar | undefined {
  if (path === undefined) return undefined;
  let file: FileHandle | undefined;
  let length = 0;
  let archiveSize: number | undefined;
  let isUsable = true;
  const openFile = async (): Promise<FileHandle> => {
    const { bavail, bsize } = await statfs(dirname(path));
    if (bavail * bsize < scratchLimits.free) throw new Error("there is too little room");
    const opened = await open(path, "wx+", 0o600);
    file = opened;
    await rm(path);
    return opened;
  };
  const close = async (): Promise<void> => {
    await file?.close();
    file = undefined;
  };
  async function* read(from: FileHandle, size: number, onRead: (bytes: number) => void) {
    let reported = 0;
    for (let at = 0; at < length; ) {
      const piece = Buffer.allocUnsafeSlow(Math.min(filePieceSize, length - at));
      const { bytesRead } = await from.read(piece, 0, piece.length, at);
      if (bytesRead === 0) throw new SpacktainersError("INTERNAL", "a scratch file is shorter than it was");
      at += bytesRead;
      const read = Math.round((at / length) * size);
      onRead(read - reported);
      reported = read;
      yield piece.subarray(0, bytesRead);
    }
  }
  return {
    begin() {
      length = 0;
    },
    async add(chunk) {
      if (!isUsable) return;
      try {
        if (length + chunk.length > scratchLimits.bytes) throw new Error("it becomes too large");
        file ??= await openFile();
        for (let at = 0; at < chunk.length; ) {
          const { bytesWritten } = await file.write(chunk, at, chunk.length - at, length + at);
          at += bytesWritten;
        }
        length += chunk.length;
      } catch {
        isUsable = false;
        await close();
      }
    },
    complete(size) {
      if (isUsable) archiveSize = size;
    },
    kept() {
      const [from, size] = [file, archiveSize];
      return from === undefined || size === undefined ? undefined : (onRead) => read(from, size, onRead);
    },
    close,
  };
}
