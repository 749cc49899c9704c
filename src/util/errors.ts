/**
 * The one error family of the program.
 *
 * Every failure a user can meet is a {@link SpacktainersError}: a stable code, one sentence that says what is wrong,
 * where it is wrong, and, when we know one, a hint that says what to do. The code decides the exit status.
 */
import { temporaryOwner } from "./temporaryOwner.ts";

/** What the process exit status means. Documented in `docs/errors.md`; scripts depend on these numbers. */
export const exitStatus = {
  failed: 1,
  usage: 2,
  definition: 3,
  unavailable: 4,
  trust: 5,
} as const;

/** Kind of failure: the key of {@link exitStatus}. */
export type FailureKind = keyof typeof exitStatus;

/** Stable error codes and the kind of failure each stands for. Codes are never renamed. */
export const errorCodes = {
  // 1: the work itself failed
  INTERNAL: "failed",
  INTERRUPTED: "failed",
  ARCHIVE_INVALID: "failed",
  ARCHIVE_UNSAFE: "failed",
  BUILDINFO_INVALID: "failed",
  PREFIX_TOO_LONG: "failed",
  RELOCATION_FAILED: "failed",
  VIEW_CONFLICT: "failed",
  LINKAGE_UNRESOLVED: "failed",
  LIBC_TOO_OLD: "failed",
  DISK_FULL: "failed",
  OUT_OF_MEMORY: "failed",
  IO: "failed",
  LOCK_BUSY: "failed",
  PROCESS_FAILED: "failed",
  BUILD_FAILED: "failed",
  OUTPUT_EXISTS: "failed",
  SITE_MISMATCH: "failed",
  NOT_SUPPORTED: "failed",
  // 2: the command line was wrong
  USAGE: "usage",
  UNKNOWN_CONTAINER: "usage",
  // 3: a definition, lock or configuration is wrong
  CONFIG_INVALID: "definition",
  DEFINITION_INVALID: "definition",
  MANIFEST_INVALID: "definition",
  REFERENCE_INVALID: "definition",
  SPEC_SYNTAX: "definition",
  SPEC_CONTRADICTION: "definition",
  VERSION_SYNTAX: "definition",
  LOCK_INVALID: "definition",
  LOCK_STALE: "definition",
  NO_SOLUTION: "definition",
  BASE_INVALID: "definition",
  BASE_UNSATISFIABLE: "definition",
  // 4: something needed could not be reached or is not there
  NETWORK: "unavailable",
  NOT_FOUND: "unavailable",
  ACCESS_DENIED: "unavailable",
  CACHE_UNAVAILABLE: "unavailable",
  CACHE_INVALID: "unavailable",
  PACKAGE_NOT_CACHED: "unavailable",
  REGISTRY_REFUSED: "unavailable",
  RUNTIME_MISSING: "unavailable",
  NODE_TOO_OLD: "unavailable",
  // 5: refused for trust
  SIGNATURE_MISSING: "trust",
  SIGNATURE_INVALID: "trust",
  KEY_UNKNOWN: "trust",
  KEY_INVALID: "trust",
  CHECKSUM_MISMATCH: "trust",
  IDENTITY_MISMATCH: "trust",
  INDEX_EXPIRED: "trust",
} as const satisfies Record<string, FailureKind>;

export type ErrorCode = keyof typeof errorCodes;

/** Where a problem is. Lines and columns count from 1, as editors do. */
export interface Place {
  readonly file?: string | undefined;
  readonly line?: number;
  readonly column?: number;
  /** The affected spec or package (`name/hash`). */
  readonly spec?: string;
  /** A URL without credentials (see `redactUrl`). */
  readonly url?: string;
  /** The affected containers, `arch/name`, if the work is for several. */
  readonly containers?: readonly string[];
}

/** Optional parts of a {@link SpacktainersError}. */
export interface ErrorDetails {
  readonly place?: Place | undefined;
  readonly hint?: string | undefined;
  /** Lines to write somewhere, which the hint speaks of. */
  readonly example?: readonly string[];
  readonly cause?: unknown;
}

/** An error a user sees: one line, never a stack trace. */
export class SpacktainersError extends Error {
  override readonly name = "SpacktainersError";
  readonly code: ErrorCode;
  readonly place: Place;
  readonly hint: string | undefined;
  readonly example: readonly string[];

  /**
   * @param code stable code, key of {@link errorCodes}
   * @param message one sentence without a final full stop, naming the offending thing
   */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.place = details.place ?? {};
    this.hint = details.hint;
    this.example = details.example ?? [];
  }

  /** The exit status for this error. */
  get exitStatus(): number {
    return exitStatus[errorCodes[this.code]];
  }
}

/** Several problems found in one pass (for example by `check`), reported together. */
export class SpacktainersErrors extends AggregateError {
  override readonly name = "SpacktainersErrors";
  override readonly errors: SpacktainersError[];
  /** The exit status asked for. */
  readonly exitStatus: number;

  /**
   * @param status by default that of the first problem
   */
  constructor(errors: readonly SpacktainersError[], status?: number) {
    super(errors, `${errors.length} problem${errors.length === 1 ? "" : "s"}`);
    this.errors = [...errors];
    this.exitStatus = status ?? errors[0]?.exitStatus ?? exitStatus.failed;
  }
}

/** Problems as one thing to throw: the error itself where there is only one. */
export function oneError(errors: readonly SpacktainersError[]): SpacktainersError | SpacktainersErrors {
  const [first] = errors;
  return first !== undefined && errors.length === 1 ? first : new SpacktainersErrors(errors);
}

/** All errors in something thrown, at least one; anything but a SpacktainersError goes through {@link asSpacktainersError}. */
export function errorsOf(thrown: unknown, place: Place = {}): readonly SpacktainersError[] {
  if (thrown instanceof SpacktainersErrors && thrown.errors.length > 0) return thrown.errors;
  return [asSpacktainersError(thrown, place)];
}

/** `file:line:column`, else container, spec and URL: whatever part of the place is known; empty when nothing is. */
export function formatPlace(place: Place): string {
  if (place.file !== undefined) {
    const line = place.line === undefined ? "" : `:${place.line}`;
    const column = place.line === undefined || place.column === undefined ? "" : `:${place.column}`;
    return `${place.file}${line}${column}`;
  }
  return [containersText(place.containers), place.spec, place.url]
    .filter((part) => part !== undefined)
    .join(" ");
}

/** Of several containers, the first ones by name. */
function containersText(containers: readonly string[] = []): string | undefined {
  if (containers.length === 0) return undefined;
  const named = containers.slice(0, 3).join(", ");
  return containers.length > 3 ? `${named} and ${containers.length - 3} more` : named;
}

/** A path as a user knows it: our temporary names stand for the finished file, or else for the directory they are in. */
function withoutTemporary(path: string, finished: string | undefined): string {
  const at = temporaryIn(path);
  if (at < 0) return path;
  return finished === undefined || temporaryIn(finished) >= 0 ? path.slice(0, Math.max(1, at)) : finished;
}

/** Where the slash before one of our temporary names stands in a path; -1 when there is none. */
function temporaryIn(path: string): number {
  let at = 0;
  for (const part of path.split("/")) {
    if (temporaryOwner(part) !== undefined) return at - 1;
    at += part.length + 1;
  }
  return -1;
}

function isOutOfMemory(thrown: Error, code: string | undefined): boolean {
  if (code === "ENOMEM" || code === "ERR_WORKER_OUT_OF_MEMORY" || code === "ERR_WORKER_INIT_FAILED")
    return true;
  return thrown instanceof RangeError && /^WebAssembly\.|^Array buffer allocation/.test(thrown.message);
}

/** Errors of the system that say that a limit of the shell, of the job or of the machine is reached. */
function limitReached(
  code: string | undefined,
  syscall: string | undefined,
): { readonly message: string; readonly hint: string } | undefined {
  if (code === "EMFILE" || code === "ENFILE")
    return {
      message:
        code === "EMFILE"
          ? "too many files are open for one process"
          : "too many files are open on this machine",
      hint: "raise the limit (ulimit -n 1024); --jobs 1 needs fewer",
    };
  if (code === "EFBIG")
    return {
      message: "the file would be larger than files may be",
      hint: "raise the limit of the shell or the job (ulimit -f unlimited), or use a file system that has larger files",
    };
  if (code === "EAGAIN" && syscall?.startsWith("spawn") === true)
    return {
      message: "no more processes can be started",
      hint: "look at the limits of the user, the shell and the job (ulimit -u)",
    };
  return undefined;
}

/** Turns anything thrown into a {@link SpacktainersError}; system errors get a readable message, the rest `INTERNAL`. */
export function asSpacktainersError(thrown: unknown, place: Place = {}): SpacktainersError {
  if (thrown instanceof SpacktainersError) return thrown;
  // Where only one can be told, the first says most.
  if (thrown instanceof SpacktainersErrors && thrown.errors[0] !== undefined) return thrown.errors[0];
  if (thrown instanceof Error) {
    const { code, path, syscall, dest } = thrown as NodeJS.ErrnoException & { readonly dest?: string };
    // A copy's source is never the one that is full.
    const named = (code === "ENOSPC" || code === "EDQUOT" ? dest : undefined) ?? path;
    const file = named ?? place.file;
    const at = file === undefined ? place : { ...place, file: withoutTemporary(file, place.file) };
    if (code === "ENOSPC" || code === "EDQUOT") {
      return new SpacktainersError("DISK_FULL", "the disk is full", {
        place: at,
        hint: "free some space, or point XDG_CACHE_HOME at a larger disk; finished work is kept",
        cause: thrown,
      });
    }
    if (isOutOfMemory(thrown, code))
      return new SpacktainersError("OUT_OF_MEMORY", `there is not enough memory (${thrown.message})`, {
        place,
        hint: "--jobs 1 needs less; check the limits of the shell (ulimit -v) or of the job",
        cause: thrown,
      });
    if (code === "ENOENT")
      return new SpacktainersError("NOT_FOUND", "no such file", { place: at, cause: thrown });
    if (code === "EACCES" || code === "EPERM")
      return new SpacktainersError("ACCESS_DENIED", "permission denied", { place: at, cause: thrown });
    if (code === "EROFS")
      return new SpacktainersError("ACCESS_DENIED", "the file system is read-only", {
        place: at,
        cause: thrown,
      });
    const limit = limitReached(code, syscall);
    if (limit !== undefined)
      return new SpacktainersError("IO", limit.message, {
        // Which file it was is chance.
        place: code === "EFBIG" ? at : place,
        hint: limit.hint,
        cause: thrown,
      });
    if (code !== undefined && (path !== undefined || syscall !== undefined))
      return new SpacktainersError("IO", thrown.message, { place: at, cause: thrown });
    return new SpacktainersError("INTERNAL", thrown.message, { place, cause: thrown });
  }
  return new SpacktainersError("INTERNAL", String(thrown), { place });
}
