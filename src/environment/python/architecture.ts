/** `arch` in conditions: the machine as a spec, and its target. */
import type { AbstractSpec, Dialect } from "../../spec/abstract.ts";
import { processorFeatures } from "../../spec/data/processorFeatures.ts";
import { intersects } from "../../spec/intersects.ts";
import {
  compatibleTargets,
  familyOf,
  genericOf,
  isAtLeast,
  microarchitecture,
} from "../../spec/microarchitecture.ts";
import { parseSpec } from "../../spec/parse.ts";
import { satisfies } from "../../spec/satisfies.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { PythonProblem } from "./problem.ts";
import { type PythonObject, type PythonValue, pythonFunction, typeOf } from "./values.ts";

/** The machine. Without a system, what asks for it has no answer. */
export interface TargetMachine {
  readonly platform: string;
  readonly os: string | undefined;
  readonly target: string;
  readonly dialect: Dialect;
}

/** Why the name of the system has no value. */
export const noSystem =
  "the operating system of the platform is not known: `platforms: ARCHITECTURE: os` of spacktainers.yaml says it";

/** The machine as Spack writes it, for `arch_str`; undefined without a system. */
export function architectureText({ platform, os, target, dialect }: TargetMachine): string | undefined {
  if (os === undefined) return undefined;
  return dialect === "0.x"
    ? `arch=${platform}-${os}-${target}`
    : `platform=${platform} os=${os} target=${target}`;
}

/** The value of `arch` and `architecture`. */
export function architectureObject(facts: TargetMachine): PythonObject {
  const { platform, os, target, dialect } = facts;
  const text = `platform=${platform} ${os === undefined ? "" : `os=${os} `}target=${target}`;
  const own = parseSpec(text, { dialect });
  const compared = (name: "satisfies" | "intersects") =>
    pythonFunction(name, 1, 1, ([wanted = null], at) => {
      if (typeof wanted !== "string")
        throw new PythonProblem("unsupported", `\`${name}\` is evaluated here with texts only`, at);
      let spec: AbstractSpec;
      try {
        spec = parseSpec(wanted, { dialect });
      } catch (thrown) {
        if (!(thrown instanceof SpacktainersError)) throw thrown;
        throw new PythonProblem("python", `\`${wanted}\` is not a spec: ${thrown.message}`, at);
      }
      if (os === undefined && spec.arch?.os !== undefined)
        throw new PythonProblem("unsupported", noSystem, at);
      return name === "satisfies" ? satisfies(own, spec, { dialect }) : intersects(own, spec, { dialect });
    });
  const object: PythonObject = {
    kind: "object",
    type: "Spec",
    text: architectureText(facts) ?? text,
    attribute(name, at) {
      if (name === "satisfies" || name === "intersects") return compared(name);
      if (name === "target") return targetObject(target);
      if (name === "platform") return platform;
      if (name === "os") {
        if (os === undefined) throw new PythonProblem("unsupported", noSystem, at);
        return os;
      }
      if (name === "architecture") return object;
      throw new PythonProblem("unsupported", `\`${name}\` of a spec is not evaluated here`, at);
    },
  };
  return object;
}

/** A microarchitecture: compared by what runs on what, and with names. */
function targetObject(target: string): PythonObject {
  const nameOf = (value: PythonValue): string | undefined => {
    if (typeof value === "string") return value;
    return typeof value === "object" && value?.kind === "object" && value.type === "Microarchitecture"
      ? value.text
      : undefined;
  };
  const features = () => (processorFeatures[target]?.[0] ?? "").split(" ").filter((each) => each !== "");
  return {
    kind: "object",
    type: "Microarchitecture",
    text: target,
    compare(operator, other) {
      const name = nameOf(other);
      if (name === undefined) return operator === "==" ? false : undefined;
      if (operator === "==") return name === target;
      if (operator === "<=" || operator === "<")
        return isAtLeast(name, target) && (operator === "<=" || name !== target);
      return isAtLeast(target, name) && (operator === ">=" || name !== target);
    },
    contains(value, at) {
      if (typeof value === "string") return features().includes(value);
      throw new PythonProblem("python", `a feature is a text, not a value of type ${typeOf(value)}`, at);
    },
    attribute(name, at) {
      if (name === "name") return target;
      if (name === "family") return targetObject(familyOf(target));
      if (name === "generic") return targetObject(genericOf(target));
      if (name === "vendor") return microarchitecture(target)?.vendor ?? "generic";
      if (name === "features") return { kind: "set", items: features() };
      if (name === "parents" || name === "ancestors") {
        const names =
          name === "parents"
            ? (microarchitecture(target)?.parents ?? [])
            : compatibleTargets(target).slice(1);
        return { kind: "list", items: names.map(targetObject) };
      }
      throw new PythonProblem("unsupported", `\`${name}\` of a target is not evaluated here`, at);
    },
  };
}
