import type { FindCredentials } from "../pipeline/pullContainer.ts";

/**
 * Finds the name and password for a registry, where the configuration names none: for ECR those that AWS gives, for GHCR
 * `GITHUB_TOKEN`. Undefined for others: runtimes then use what they themselves are logged in with.
 */
export const registryCredentials: FindCredentials = async (host, signal) => {
  const { openCredentials } = await import("../registry/credentials.ts");
  const { parseRegistryHost, parseRepositoryPath } = await import("../registry/reference.ts");
  const { isEcr } = await import("../registry/ecr.ts");
  const registry = parseRegistryHost(host);
  if (!isEcr(registry) && registry !== "ghcr.io") return undefined;
  const source = openCredentials(registry, { signal });
  try {
    const found = await source.find({ host: registry, path: parseRepositoryPath("any", registry) });
    return found?.kind === "user" ? { username: found.username, password: found.password } : undefined;
  } finally {
    source.close();
  }
};
