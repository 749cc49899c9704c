import { SpacktainersError } from "../../util/errors.ts";
import type { JobBind } from "../job.ts";

/**
 * Stops where a runtime's option has no way to quote a path.
 *
 * @param characters those it cannot take, as a class of a regular expression
 * @param what who cannot, and what, as `Sarus cannot bind`
 * @param names the characters for people, as `a comma or quote`
 * @throws SpacktainersError NOT_SUPPORTED
 */
export function refusePaths(bind: JobBind, characters: RegExp, what: string, names: string): void {
  for (const path of [bind.source, bind.target])
    if (characters.test(path))
      throw new SpacktainersError("NOT_SUPPORTED", `${what} a path with ${names} in it: ${path}`);
}
