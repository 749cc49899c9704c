import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { lockPaths } from "../choose/spacktainersLock.ts";

/** The files, other than the definition, that decide an image. */
export function decidingFiles(container: Container, { file }: Configuration): readonly string[] {
  const { spack, spacktainers } = lockPaths(container);
  return [spack, spacktainers, ...(file === undefined ? [] : [file])];
}
