import parseExpression from "spdx-expression-parse";
import type { Configuration } from "../definitions/configuration.ts";
import type { ConcreteSpec, SpecGraph } from "../spec/concrete.ts";
import { recipeFacts } from "./recipeFacts.ts";

/**
 * Licences of packages, as their recipes have them: spec files do not. Where the configuration names a file of facts from
 * recipes that has licences; elsewhere nothing is known, and nothing is guessed.
 *
 * @throws {SpacktainersError} `CONFIG_INVALID` when there is no such file, or it is not one
 * @returns the SPDX expression of a package; undefined when it is not known or no such expression
 */
export async function licenseFacts(
  configuration: Configuration,
  graph: SpecGraph,
): Promise<(spec: ConcreteSpec) => string | undefined> {
  const facts = await recipeFacts(configuration);
  if (facts === undefined) return () => undefined;
  return (spec) => {
    const text = facts.licenseOf(spec, graph);
    return text !== undefined && isExpression(text) ? text : undefined;
  };
}

function isExpression(text: string): boolean {
  try {
    parseExpression(text);
    return true;
  } catch {
    return false;
  }
}
