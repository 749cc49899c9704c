/** Why a Python expression has no value. */
import { NotUnderstood, PythonException } from "../../python/problem.ts";

/**
 * `python`: Python itself would raise an error. `unsupported`: Python may have an answer, this program does not know it.
 */
export type PythonProblemKind = "python" | "unsupported";

/** Raised while an expression is read or evaluated; never leaves this folder's callers. */
export class PythonProblem extends Error {
  readonly kind: PythonProblemKind;
  /** The character of the expression that it is about. */
  readonly offset: number;

  constructor(kind: PythonProblemKind, message: string, offset: number) {
    super(message);
    this.kind = kind;
    this.offset = offset;
  }
}

/** What `read` gives. What it throws about Python is thrown again, with the character that it is about. @throws {PythonProblem} */
export function problemsAt<T>(offset: number, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof PythonException) throw new PythonProblem("python", thrown.message, offset);
    if (thrown instanceof NotUnderstood)
      throw new PythonProblem("unsupported", `${thrown.message} is not evaluated here`, offset);
    throw thrown;
  }
}
