import type { FindCredentials } from "./pullContainer.ts";

/**
 * Finds the name and password for an image's repository where the `push` of images finds them: for ECR by AWS, else in the files of
 * Podman and Docker and their helpers. Tokens that were meant for something else (`GITHUB_TOKEN`) are left alone: a registry that
 * serves anybody refuses them.
 */
export const registryCredentials: FindCredentials = async (reference, registry, { emit, signal }) => {
  const { openCredentials } = await import("../../registry/credentials.ts");
  const { parseReference } = await import("../../registry/reference.ts");
  const name = parseReference(reference);
  const source = openCredentials(name.host, { type: registry?.type, emit, signal });
  try {
    const found = await source.find(name);
    return found?.kind === "user" && found.ambient !== true ? found : undefined;
  } finally {
    source.close();
  }
};
