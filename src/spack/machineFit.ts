import type { ConcreteSpec, DagHash, SpecGraph } from "../spec/concrete.ts";
import { SpacktainersError } from "../util/errors.ts";
import { isJsonObject } from "../util/json.ts";
import type { BuildNode } from "./buildGraph.ts";
import { type MachinePackages, spackMachineName } from "./machinePackages.ts";
import type { Spack } from "./spack.ts";

/**
 * Checks that what a lock takes of the machine is what is there: a lock made on a laptop is not for a builder image with another
 * compiler, and its hashes would tell a lie.
 *
 * @param nodes what has to be built
 * @param graph of the lock
 * @param file the lock, for messages
 * @throws SpacktainersError LOCK_STALE naming what differs
 */
export function expectMachineOfLock(
  nodes: readonly BuildNode[],
  graph: SpecGraph,
  machine: MachinePackages,
  spack: Pick<Spack, "python" | "container">,
  file: string,
): void {
  const used = new Set<DagHash>(nodes.flatMap(({ spec }) => spec.dependencies.map(({ hash }) => hash)));
  const differences = [...used].flatMap((hash) => {
    const spec = graph.get(hash);
    return spec?.external === undefined ? [] : (differenceOf(spec, machine, spack) ?? []);
  });
  if (differences.length > 0)
    throw new SpacktainersError(
      "LOCK_STALE",
      `the lock is not for ${spackMachineName(spack)}: ${[...new Set(differences)].sort().join(", ")}`,
      {
        place: { file },
        hint: "`--solve` lets Spack choose for it; or build where the lock was made",
      },
    );
}

/** What is there instead of an external package; undefined when it is as the lock says, as far as is known. */
function differenceOf(
  { name, version, external }: ConcreteSpec,
  machine: MachinePackages,
  { python }: Pick<Spack, "python">,
): string | undefined {
  if (name === "glibc" && python.glibc !== undefined) {
    const own = python.glibc.join(".");
    return version === own ? undefined : `it has glibc@${version}, there is ${own}`;
  }
  const entry = machine.packages[name];
  const externals = isJsonObject(entry) && Array.isArray(entry.externals) ? entry.externals : [];
  const versions = externals.flatMap((each) => {
    const found = isJsonObject(each) && each.prefix === external?.path ? each.spec : undefined;
    const text = typeof found === "string" ? /@=?([^\s@+~%:]+)/.exec(found)?.[1] : undefined;
    return text === undefined ? [] : [text];
  });
  // What the definition itself declares is not among them.
  if (versions.length === 0 || versions.includes(version)) return undefined;
  return `it has ${name}@${version} in ${external?.path}, there is ${versions.join(", ")}`;
}
