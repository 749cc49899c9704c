/** Why a Python expression has no value. */

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
