/** Collecting every problem of a file instead of stopping at the first. */
import { type ErrorCode, type Place, SpacktainersError } from "../util/errors.ts";

/** What is wrong (`errors`: the file cannot be used) and what is doubtful (`warnings`: it can). */
export interface Problems {
  readonly errors: readonly SpacktainersError[];
  readonly warnings: readonly SpacktainersError[];
}

/** Receives problems while a file is read. */
export interface ProblemList extends Problems {
  error(code: ErrorCode, message: string, place: Place, hint?: string): void;
  warning(code: ErrorCode, message: string, place: Place, hint?: string): void;
  /** Adds an error that something else raised, or all problems of another list. */
  add(problem: SpacktainersError | Problems): void;
}

/** The most problems of one kind that are kept: a file with more is broken in one way, a thousand times. */
const mostProblems = 1000;

/** An empty list. */
export function problemList(): ProblemList {
  const errors: SpacktainersError[] = [];
  const warnings: SpacktainersError[] = [];
  const push = (list: SpacktainersError[], problem: SpacktainersError) => {
    if (list.length < mostProblems) list.push(problem);
  };
  const make = (code: ErrorCode, message: string, place: Place, hint: string | undefined) =>
    new SpacktainersError(code, message, hint === undefined ? { place } : { place, hint });
  return {
    errors,
    warnings,
    error: (code, message, place, hint) => push(errors, make(code, message, place, hint)),
    warning: (code, message, place, hint) => push(warnings, make(code, message, place, hint)),
    add(problem) {
      if (problem instanceof SpacktainersError) {
        push(errors, problem);
        return;
      }
      for (const error of problem.errors) push(errors, error);
      for (const warning of problem.warnings) push(warnings, warning);
    },
  };
}

/** Order of problems for people: by file, line, column; those without a place first. */
export function inOrderOfPlace(problems: readonly SpacktainersError[]): SpacktainersError[] {
  const key = ({ place }: SpacktainersError) =>
    [place.file ?? "", place.line ?? 0, place.column ?? 0] as const;
  return [...problems].sort((a, b) => {
    const [fileA, lineA, columnA] = key(a);
    const [fileB, lineB, columnB] = key(b);
    if (fileA !== fileB) return fileA < fileB ? -1 : 1;
    return lineA - lineB || columnA - columnB;
  });
}
