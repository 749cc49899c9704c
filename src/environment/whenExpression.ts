/** Conditions (`when:` of definitions and includes): expressions of Python. */

import type { Machine } from "./machine.ts";
import { architectureObject, architectureText, noSystem } from "./python/architecture.ts";
import { evaluatePython } from "./python/evaluate.ts";
import { PythonProblem } from "./python/problem.ts";
import { regularExpressions } from "./python/regularExpressions.ts";
import { holds, type PythonValue } from "./python/values.ts";

/** The answer, or why there is none. `offset` is the character that it is about. */
export type WhenAnswer =
  | { readonly value: boolean }
  | {
      /** Set when Python may have an answer that this program does not know. */
      readonly unsupported: boolean;
      readonly problem: string;
      readonly offset: number;
    };

/**
 * Evaluates a condition with the names that Spack gives it: `platform`, `os`, `target`, `arch`, `architecture`,
 * `arch_str`, `hostname`, `env`, `re`. What is not understood is refused, never guessed.
 */
export function evaluateWhen(text: string, machine: Machine): WhenAnswer {
  try {
    return { value: holds(evaluatePython(text, conditionNames(machine), unknownNames(machine))) };
  } catch (thrown) {
    if (!(thrown instanceof PythonProblem)) throw thrown;
    const { message, offset, kind } = thrown;
    return { unsupported: kind === "unsupported", problem: message, offset };
  }
}

function conditionNames(machine: Machine): ReadonlyMap<string, PythonValue> {
  const { platform, os, target, hostname, environment } = machine;
  const arch = architectureObject(machine);
  const text = architectureText(machine);
  return new Map<string, PythonValue>([
    ["platform", platform],
    ["target", target],
    ["hostname", hostname],
    ["arch", arch],
    ["architecture", arch],
    ["re", regularExpressions],
    [
      "env",
      {
        kind: "dict",
        environment: true,
        entries: Object.entries(environment).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, value] as const],
        ),
      },
    ],
    ...(os === undefined ? [] : ([["os", os]] as const)),
    ...(text === undefined ? [] : ([["arch_str", text]] as const)),
  ]);
}

function unknownNames({ os }: Machine): ReadonlyMap<string, string> {
  return new Map(os === undefined ? ["os", "arch_str"].map((name) => [name, noSystem]) : []);
}
