/**
 * Standard output and standard error, as the program writes to them. Whatever happens to them - the reader left, the disk is full,
 * the terminal is gone - the work goes on, and what cannot be written is dropped; {@link runCli} says so in the end.
 */
import { fstatSync, writeSync } from "node:fs";
import { Writable } from "node:stream";
import { isatty } from "node:tty";

/** One of the two streams. */
export interface StandardStream {
  readonly isTTY: boolean;
  /** Width of the terminal; undefined where there is none. */
  readonly columns: number | undefined;
  /** Writes, or drops what can no longer be written; never throws. `done` is called when it is out, or dropped. */
  write(data: string | Uint8Array, done?: () => void): void;
  /** Why something written is lost; undefined while nothing is. */
  readonly lost: NodeJS.ErrnoException | undefined;
  /** Waits until all that was written is out, or dropped. */
  settled(): Promise<void>;
}

/** Whether what was written is lost because nobody reads it any more (`| head`), which is not a failure. */
export function readerLeft(lost: NodeJS.ErrnoException | undefined): boolean {
  return lost?.code === "EPIPE" || lost?.code === "ECONNRESET";
}

export const standardOutput: StandardStream = openStandardStream(1, () => process.stdout);
export const standardError: StandardStream = openStandardStream(2, () => process.stderr);

/** The stream for work that writes to a stream of Node's: it fails with what was lost, so that the work ends. */
export function writableStream(stream: StandardStream): Writable {
  return new Writable({
    write: (chunk: Uint8Array, _encoding, done) => stream.write(chunk, () => done(stream.lost ?? null)),
  });
}

/** @param stream Node's own stream; it is opened by the first use, and never for a file */
function openStandardStream(descriptor: 1 | 2, stream: () => NodeJS.WriteStream): StandardStream {
  let lost: NodeJS.ErrnoException | undefined;
  let opened: NodeJS.WriteStream | "file" | undefined;
  const lose = (error: NodeJS.ErrnoException): void => {
    lost ??= error;
  };
  const open = (): NodeJS.WriteStream | "file" => {
    opened ??= isFile(descriptor) ? "file" : stream().on("error", lose);
    return opened;
  };
  const write: StandardStream["write"] = (data, done = () => {}) => {
    const target = open();
    if (lost !== undefined) return done();
    if (target !== "file") {
      target.write(data, (error) => {
        if (error) lose(error);
        done();
      });
      return;
    }
    try {
      writeWhole(descriptor, data);
    } catch (error) {
      lose(error as NodeJS.ErrnoException);
    }
    done();
  };
  return {
    get isTTY() {
      const target = open();
      return target !== "file" && target.isTTY === true;
    },
    get columns() {
      const target = open();
      return target === "file" ? undefined : target.columns;
    },
    get lost() {
      return lost;
    },
    write,
    settled: () => new Promise((resolve) => write("", resolve)),
  };
}

/** True for files, and for devices that are no terminals. */
function isFile(descriptor: number): boolean {
  const facts = fstatSync(descriptor);
  return facts.isFile() || facts.isBlockDevice() || (facts.isCharacterDevice() && !isatty(descriptor));
}

/** Node's own stream takes a part for the whole: where the disk becomes full, the rest would be lost without a word. */
function writeWhole(descriptor: number, data: string | Uint8Array): void {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}
