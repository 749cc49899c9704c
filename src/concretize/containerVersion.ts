/** The version of a container: that of the first spec in its list. */
import type { Environment } from "../environment/types.ts";
import type { Dialect } from "../spec/abstract.ts";
import { formatSpec } from "../spec/format.ts";
import { parseSpec } from "../spec/parse.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { Resolution } from "./types.ts";

/**
 * The version of the package that the environment's first spec became; undefined for an environment without specs.
 * Locks have their roots in another order than the manifest: the root is found by its spec, else by its name.
 */
export function containerVersion(environment: Environment, resolution: Resolution): string | undefined {
  const [first] = environment.specs;
  if (first === undefined) return undefined;
  const { roots, graph } = resolution;
  const wanted = formatSpec(first.spec, environment.dialect);
  const root =
    roots.find(({ request }) => request === first.text) ??
    roots.find(({ request }) => canonical(request, environment.dialect) === wanted) ??
    roots.find(({ hash }) => graph.get(hash)?.name === first.spec.name);
  return root === undefined ? undefined : graph.get(root.hash)?.version;
}

function canonical(text: string, dialect: Dialect): string | undefined {
  try {
    return formatSpec(parseSpec(text, { dialect }), dialect);
  } catch (thrown) {
    if (thrown instanceof SpacktainersError) return undefined;
    throw thrown;
  }
}
