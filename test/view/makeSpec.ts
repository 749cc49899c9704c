/** Small concrete specs for tests. */
import { createHash } from "node:crypto";
import type { ConcreteSpec, DagHash, DependencyType } from "../../src/spec/concrete.ts";

export interface SpecParts {
  readonly version?: string;
  readonly variants?: readonly (readonly [string, boolean | string])[];
  /** Name, hash and types (default run) of each dependency. */
  readonly dependencies?: readonly (readonly [name: string, hash: DagHash, ...types: DependencyType[]])[];
  readonly external?: string;
}

/** A hash made of a text. */
export function hashOf(text: string): DagHash {
  const digest = createHash("sha256").update(text).digest();
  return Array.from(digest, (byte) => "abcdefghijklmnopqrstuvwxyz234567"[byte & 31]).join("") as DagHash;
}

export function makeSpec(name: string, parts: SpecParts = {}): ConcreteSpec {
  const version = parts.version ?? "1.0";
  return {
    name,
    version,
    namespace: "builtin",
    hash: hashOf(`${name}@${version}${JSON.stringify(parts)}`),
    platform: "linux",
    os: "debian12",
    target: "x86_64_v3",
    compiler: undefined,
    variants: new Map(parts.variants ?? []),
    flags: new Map(),
    external: parts.external === undefined ? undefined : { path: parts.external, modules: [] },
    packageHash: undefined,
    dependencies: (parts.dependencies ?? []).map(([dependency, hash, ...types]) => ({
      name: dependency,
      hash,
      types: new Set<DependencyType>(types.length === 0 ? ["run"] : types),
      virtuals: [],
      direct: false,
    })),
    buildSpec: undefined,
    providedVirtuals: undefined,
    annotations: undefined,
    specfileVersion: 5,
  };
}
