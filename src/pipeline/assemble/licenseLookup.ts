import parseExpression from "spdx-expression-parse";
import type { Configuration } from "../../definitions/configuration.ts";
import type { ConcreteSpec, SpecGraph } from "../../spec/concrete.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { configuredVariantDefaults } from "../choose/configuredVariantDefaults.ts";

/**
 * Licences of packages, as their recipes have them: spec files do not. Where the configuration names a file of facts from
 * recipes that has licences; elsewhere nothing is known, and nothing is guessed.
 *
 * Nothing depends on it: without the file, which a locked container does not need, licences are not known, with a warning.
 *
 * @returns the SPDX expression of a package; undefined when it is not known or no such expression
 */
export async function licenseLookup(
  configuration: Configuration,
  graph: SpecGraph,
  emit: EmitEvent,
): Promise<(spec: ConcreteSpec) => string | undefined> {
  const facts = await configuredVariantDefaults(configuration).catch((thrown: unknown) => {
    if (!(thrown instanceof SpacktainersError)) throw thrown;
    const message = `licences are not known: ${thrown.message}`;
    emit({ type: "warning", code: thrown.code, message, place: thrown.place });
    return undefined;
  });
  if (facts === undefined) return () => undefined;
  return (spec) => {
    const text = facts.licenseOf(spec, graph);
    return text !== undefined && isLicenseExpression(text) ? text : undefined;
  };
}

/** True for an SPDX licence expression. */
export function isLicenseExpression(text: string): boolean {
  try {
    parseExpression(text);
    return true;
  } catch {
    return false;
  }
}
