/** Packages of which Spack asks programs: what an installation answers, without running it. */

import { NotUnderstood } from "../python/problem.ts";
import type { ConcreteSpec } from "../spec/concrete.ts";
import { joinPath } from "./expressions.ts";
import { executable } from "./spackFunctions.ts";
import { prefix, type Value } from "./values.ts";
import type { RecipeWorld } from "./world.ts";

/** An attribute of such a package, or undefined for all others. */
export function interpreterAttribute(
  world: RecipeWorld,
  spec: ConcreteSpec,
  own: string,
  name: string,
): Value | undefined {
  if (spec.name === "perl" && name === "command") return executable(joinPath(own, "bin/perl"));
  if (spec.name !== "python" && spec.name !== "python-venv") return undefined;
  const python =
    spec.name === "python"
      ? spec
      : world.graph.get(spec.dependencies.find((edge) => edge.name === "python")?.hash ?? spec.hash);
  const version = (python ?? spec).version.split(".").slice(0, 2).join(".");
  switch (name) {
    case "purelib":
      return `lib/python${version}/site-packages`;
    case "platlib":
      return `${libraryFolder(world, version)}/python${version}/site-packages`;
    case "include":
      return `include/python${version}`;
    case "command":
      return executable(joinPath(own, "bin/python3"));
    case "config_vars":
      throw new NotUnderstood("what the interpreter says of itself");
    case "home":
      return prefix(own);
    default:
      return undefined;
  }
}

/** `lib64` where a package has its modules there, and there only under that name. */
function libraryFolder(world: RecipeWorld, version: string): "lib" | "lib64" {
  const { files } = world;
  const uses64 = world.order.some((spec) => {
    const path = world.prefixOf(spec);
    if (path === undefined) return false;
    const folder = `${path}/lib64/python${version}/site-packages`;
    return (
      files.kindOf(folder) === "directory" &&
      files.identity(`${path}/lib64`) !== files.identity(`${path}/lib`)
    );
  });
  return uses64 ? "lib64" : "lib";
}
