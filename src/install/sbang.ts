/**
 * First lines that are too long for the kernel.
 *
 * Spack gives an executable script whose first line does not fit in 127 bytes a new one, `#!/bin/sh <root>/bin/sbang`,
 * and keeps the old one as the second line, made a comment of the script's language (`docs/formats.md`, "sbang"). Paths
 * in padded caches are long, so nearly all of their scripts are like that; at a short root the old line fits again.
 */

/** Bytes of a first line, its newline included, that every Linux kernel reads whole. */
export const shebangLimit = 127;
/** Neither Spack nor spacktainers reads longer first lines. */
const longestLine = 4096;

const newline = 0x0a;

/** The first line, newline included, of scripts that run by sbang. */
export function sbangLineOf(sbangPath: string): Buffer {
  return Buffer.from(`#!/bin/sh ${sbangPath}\n`);
}

/** True when the bytes begin with `#!`. */
export function hasShebang(data: Uint8Array): boolean {
  return data.length >= 2 && data[0] === 0x23 && data[1] === 0x21;
}

/** The first line without `#!` and newline; undefined when there is no shebang. At most 4096 bytes are read. */
export function shebangOf(data: Buffer): Buffer | undefined {
  if (!hasShebang(data)) return undefined;
  const end = data.subarray(0, longestLine).indexOf(newline);
  return data.subarray(2, end < 0 ? Math.min(data.length, longestLine) : end);
}

/**
 * Puts the original first line of an sbang script back, where it now fits.
 *
 * @param data an executable file, relocated
 * @param sbangPath absolute path of the sbang script that its first line must name
 * @returns the new bytes; `data` itself when there is nothing to undo, or the line still is too long
 */
export function undoSbang(data: Buffer, sbangPath: string): Buffer {
  const first = sbangLineOf(sbangPath);
  if (!data.subarray(0, first.length).equals(first)) return data;
  const second = data.subarray(first.length, first.length + longestLine + 16);
  const end = second.indexOf(newline);
  if (end < 0) return data;
  const line = second.subarray(0, end + 1).toString("latin1");
  let rest = data.subarray(first.length + end + 1);
  let original: string;
  if (/^(?:#!|--!|\/\/!)/.test(line)) {
    original = `#!${line.slice(line.indexOf("!") + 1)}`;
  } else if (line.startsWith("<?php #!")) {
    // The old line had its newline in it, so the closing tag is on the line after.
    if (rest.subarray(0, 3).toString("latin1") !== " ?>") return data;
    original = line.slice("<?php ".length);
    rest = rest.subarray(3);
  } else {
    return data;
  }
  if (original.length > shebangLimit) return data;
  return Buffer.concat([Buffer.from(original, "latin1"), rest]);
}

/**
 * Gives a script with an over-long first line the sbang line, as Spack does after every installation.
 *
 * @param data an executable file, relocated
 * @param sbangPath absolute path of the sbang script
 * @returns the new bytes; `data` itself when nothing is to be done
 */
export function applySbang(data: Buffer, sbangPath: string): Buffer {
  if (!hasShebang(data)) return data;
  const head = data.subarray(0, longestLine);
  const end = head.indexOf(newline);
  if (end < 0 && head.length === longestLine) return data;
  const line = end < 0 ? head : head.subarray(0, end + 1);
  if (line.length <= shebangLimit) return data;
  const sbangLine = sbangLineOf(sbangPath);
  if (line.equals(sbangLine)) return data;
  const text = line.toString("latin1");
  const interpreter = /^#![ \t]*([^ \t\0\n]+)/.exec(text)?.[1];
  if (interpreter === undefined) return data;
  return Buffer.concat([
    sbangLine,
    Buffer.from(commented(text, interpreter), "latin1"),
    data.subarray(line.length),
  ]);
}

function commented(line: string, interpreter: string): string {
  if (interpreter.endsWith("/lua") || interpreter.endsWith("/luajit")) return `--!${line.slice(2)}`;
  if (interpreter.endsWith("/node")) return `//!${line.slice(2)}`;
  if (interpreter.endsWith("/php")) return `<?php ${line} ?>`;
  return line;
}
