/** Which microarchitecture a machine has, from its /proc/cpuinfo. The rules are archspec's. */

import { armVendors, processorFeatures } from "./data/processorFeatures.ts";
import { compatibleTargets, familyOf, isAtLeast, microarchitecture } from "./microarchitecture.ts";

/** Features that the kernel does not list by themselves: they are there when one of these is. */
const implied: readonly (readonly [feature: string, anyOf: readonly string[]])[] = [
  ["sse3", ["ssse3", "pni"]],
  ["avx512", ["avx512f", "avx512vl", "avx512bw", "avx512dq", "avx512cd"]],
  ["sse4.1", ["sse4_1"]],
  ["sse4.2", ["sse4_2"]],
];

/**
 * The microarchitecture of the first processor.
 *
 * @param cpuinfo text of /proc/cpuinfo
 * @param family of the machine, by Spack's names
 * @returns the best one that the processor can do all of, of its own maker or generic; the family itself when nothing is known
 */
export function processorOf(cpuinfo: string, family: "x86_64" | "aarch64"): string {
  const value = (key: string): string =>
    new RegExp(`^${key}\\s*:\\s*(.*)$`, "m").exec(cpuinfo)?.[1]?.trim() ?? "";
  const flags = new Set(value(family === "x86_64" ? "flags" : "Features").split(/\s+/));
  for (const [feature, anyOf] of implied) if (anyOf.some((flag) => flags.has(flag))) flags.add(feature);
  const vendor = family === "x86_64" ? value("vendor_id") : (armVendors[value("CPU implementer")] ?? "");
  const part = value("CPU part");
  const able = Object.entries(processorFeatures).filter(([name, [features, ownPart]]) => {
    const own = microarchitecture(name);
    if (own === undefined || familyOf(name) !== family) return false;
    if (own.vendor !== "generic" && own.vendor !== vendor) return false;
    // Nothing that the kernel tells shows the levels of Arm.
    if (family === "aarch64" && own.vendor === "generic") return name === family;
    if (ownPart !== undefined && part !== "" && ownPart !== part) return false;
    return features === "" || features.split(" ").every((feature) => flags.has(feature));
  });
  const rank = ([name, [features]]: (typeof able)[number]): readonly [number, number] => [
    compatibleTargets(name).length,
    features.split(" ").length,
  ];
  const best = (names: typeof able): string | undefined =>
    names.toSorted((a, b) => {
      const [depthA, countA] = rank(a);
      const [depthB, countB] = rank(b);
      return depthB - depthA || countB - countA || (a[0] < b[0] ? -1 : 1);
    })[0]?.[0];
  // A virtual machine may hide what its model's name promises, and have what an older model lacks: levels count first.
  const level = best(able.filter(([name]) => microarchitecture(name)?.vendor === "generic")) ?? family;
  return best(able.filter(([name]) => name !== level && isAtLeast(name, level))) ?? level;
}
