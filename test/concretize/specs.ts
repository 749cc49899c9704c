/** Small concrete specs for tests. */
import type { ConcreteEdge, ConcreteSpec, DagHash, DependencyType } from "../../src/spec/concrete.ts";
import { parseDagHash } from "../../src/spec/concrete.ts";

let count = 0;

/** A hash that no other call has returned; the label is its beginning (letters a-z and digits 2-7). */
export function hashOf(label: string): DagHash {
  count++;
  const tail = count.toString(8).replaceAll("0", "a").replaceAll("1", "b");
  const hash = parseDagHash(
    (label.replace(/[^a-z2-7]/g, "") + "q".repeat(32)).slice(0, 32 - tail.length) + tail,
  );
  if (hash === undefined) throw new Error(`bad label ${label}`);
  return hash;
}

export interface SpecOptions {
  readonly variants?: Readonly<Record<string, boolean | string | readonly string[]>>;
  readonly target?: string;
  readonly os?: string;
  readonly compiler?: string;
  readonly external?: string;
  /** Link dependencies; a pair adds virtuals that the edge provides. */
  readonly link?: readonly (ConcreteSpec | readonly [ConcreteSpec, readonly string[]])[];
  readonly run?: readonly ConcreteSpec[];
  /** Build dependencies; a pair adds virtuals that the edge provides. */
  readonly build?: SpecOptions["link"];
  /** A package of Spack 1.x: compilers are dependencies. */
  readonly modern?: true;
}

/** `name@version` and what else is given. */
export function makeSpec(nameAndVersion: string, options: SpecOptions = {}): ConcreteSpec {
  const [name = "", version = "1.0"] = nameAndVersion.split("@");
  const edges = (specs: SpecOptions["link"], type: DependencyType): ConcreteEdge[] =>
    (specs ?? []).map((entry) => {
      const [spec, virtuals] = Array.isArray(entry)
        ? (entry as readonly [ConcreteSpec, readonly string[]])
        : [entry as ConcreteSpec, []];
      return { name: spec.name, hash: spec.hash, types: new Set([type]), virtuals, direct: false };
    });
  return {
    name,
    version,
    namespace: "builtin",
    hash: hashOf(name),
    platform: "linux",
    os: options.os ?? "debian12",
    target: options.target ?? "x86_64_v3",
    compiler: options.modern ? undefined : { name: "gcc", version: options.compiler ?? "12.2.0" },
    variants: new Map(Object.entries(options.variants ?? {})),
    flags: new Map(),
    external: options.external === undefined ? undefined : { path: options.external, modules: [] },
    packageHash: undefined,
    dependencies: [
      ...edges(options.link, "link"),
      ...edges(options.run, "run"),
      ...edges(options.build, "build"),
    ],
    buildSpec: undefined,
    providedVirtuals: undefined,
    annotations: undefined,
    specfileVersion: options.modern ? 5 : 4,
  };
}
