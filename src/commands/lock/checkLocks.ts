import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { configuredReading } from "../../pipeline/choose/configuredReading.ts";
import { loadEnvironment } from "../../pipeline/choose/loadEnvironment.ts";
import { resolvePackages } from "../../pipeline/choose/resolvePackages.ts";
import { lockPaths } from "../../pipeline/choose/spacktainersLock.ts";
import { packageProblems, readLocks } from "../../pipeline/plan/useLocks.ts";
import type { Resources } from "../../pipeline/workspace/resources.ts";
import type { SpacktainersError } from "../../util/errors.ts";

/**
 * What `build --frozen` would refuse: locks that are missing or do not fit the manifest and the configuration, and packages
 * whose archive in the caches is not the one locked. Nothing is written.
 */
export async function checkLocks(
  container: Container,
  configuration: Configuration,
  resources: Pick<Resources, "caches" | "emit">,
): Promise<readonly SpacktainersError[]> {
  const options = { ...(await configuredReading(container, configuration)), frozen: true };
  const loaded = await loadEnvironment(container, options, resources.emit);
  const { lock, problems, usable } = await readLocks(container, loaded, configuration);
  if (lock === undefined || !usable || loaded.lock === undefined) return problems;
  const settings = { architecture: container.arch, configuration };
  const { packages } = await resolvePackages(loaded, settings, resources);
  const locked = new Map(lock.packages.map((one) => [one.hash, one]));
  return [...problems, ...packageProblems(packages, locked, { file: lockPaths(container).spacktainers })];
}
