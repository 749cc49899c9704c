import { type Architecture, architectures } from "../../definitions/configuration.ts";
import { SpacktainersError } from "../../util/errors.ts";

/**
 * The architecture a command line asks for; undefined when it asks for none.
 *
 * @throws {SpacktainersError} `USAGE` for one that we do not build
 */
export function asArchitecture(text: string | undefined): Architecture | undefined {
  if (text === undefined) return undefined;
  const known = architectures.find((arch) => arch === text);
  if (known === undefined)
    throw new SpacktainersError("USAGE", `${text} is not an architecture`, {
      hint: `known are ${architectures.join(" and ")}`,
    });
  return known;
}
