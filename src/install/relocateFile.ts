/** All edits of one file of a package, in Spack's order. */
import { bytesOfName, nameOfBytes } from "../archive/names.ts";
import { isElf } from "../elf/parseElf.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import type { PrefixMap } from "./prefixMap.ts";
import { relocateBinary } from "./relocateBinary.ts";
import { dropRedundantRunPaths, relocateElf, relocateStart } from "./relocateElf.ts";
import { relocateText } from "./relocateText.ts";
import { applySbang, hasShebang, sbangLineOf, shebangLimit, undoSbang } from "./sbang.ts";

/** What decides the edits of the files of one package. */
export interface FileEdits {
  readonly map: PrefixMap;
  /** Absolute path of the sbang script at the new root. */
  readonly sbangPath: string;
  readonly sbang: "keep" | "undo";
  readonly exists: (path: string) => boolean;
  /** Strips an ELF file; absent when nothing is to be stripped. */
  readonly strip?: ((file: Buffer) => Buffer) | undefined;
}

/** What the archive says about one file. */
export interface FileMarks {
  readonly listedText: boolean;
  readonly listedBinary: boolean;
  readonly executable: boolean;
}

/**
 * Relocates and strips one file.
 *
 * @param data the file's bytes; may be changed
 * @returns the new bytes
 * @throws SpacktainersError PREFIX_TOO_LONG, RELOCATION_FAILED (without place: the caller knows the file)
 */
export function editFile(data: Buffer, facts: FileMarks, edits: FileEdits): Buffer {
  let file = data;
  if (facts.listedBinary) relocateElf(file, edits.map.loader);
  if (facts.listedText) file = relocateText(file, edits.map.text);
  if (facts.listedBinary) relocateBinary(file, edits.map.binary);
  if (facts.executable && hasShebang(file)) {
    if (edits.sbang === "undo") file = undoSbang(file, edits.sbangPath);
    file = applySbang(file, edits.sbangPath);
    checkSbangLine(file, edits.sbangPath);
  }
  if (isElf(file)) {
    dropRedundantRunPaths(file, edits.exists);
    if (edits.strip !== undefined) file = edits.strip(file);
  }
  return file;
}

function checkSbangLine(file: Buffer, sbangPath: string): void {
  const line = sbangLineOf(sbangPath);
  if (line.length <= shebangLimit || !file.subarray(0, line.length).equals(line)) return;
  throw new SpacktainersError(
    "PREFIX_TOO_LONG",
    `its first line would have ${line.length} bytes, and kernels read ${shebangLimit}`,
    { hint: `choose an install root that is at least ${line.length - shebangLimit} bytes shorter` },
  );
}

/** The text of a symbolic link that is listed for relocation, relocated. Relative links do not change. */
export function relocateLink(target: string, map: PrefixMap): string {
  if (!target.startsWith("/")) return target;
  const relocated = relocateStart(bytesOfName(target), map.loader);
  return relocated === undefined ? target : nameOfBytes(relocated);
}

/** The same error, with the file in its message and the package as its place. */
export function inFile(error: unknown, path: string, place: Place): unknown {
  if (!(error instanceof SpacktainersError)) return error;
  return new SpacktainersError(error.code, `${path}: ${error.message}`, {
    place,
    hint: error.hint,
    cause: error,
  });
}
