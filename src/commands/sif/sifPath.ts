import { resolve } from "node:path";
import { SpacktainersError } from "../../util/errors.ts";

/**
 * The path of a SIF file, as a command line says it.
 * @throws {SpacktainersError} `NOT_SUPPORTED` for an image in another form, which `sif` converts
 */
export function sifPath(text: string, directory: string): string {
  if (/^(?:oci|oci-archive|docker-archive):|^(?:docker|oras):\/\//.test(text))
    throw new SpacktainersError("NOT_SUPPORTED", `${text} is not a SIF file`, {
      hint: `to make one: \`spacktainers sif ${text}\``,
    });
  return resolve(directory, text);
}
