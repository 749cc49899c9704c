import { openRepository } from "../../pipeline/workspace/workspace.ts";

/** What a repository has names of. */
export const nameKinds = ["containers", "sites", "caches"] as const;
export type NameKind = (typeof nameKinds)[number];

/**
 * The names of a repository that a command line may have, sorted, each once: containers with a definition (parked ones too, since
 * they can be asked for by name), sites, URLs of configured build caches. Definitions are not read, and what is wrong in the
 * configuration leaves names out; `check` says so.
 */
export async function listNames(directory: string, kind: NameKind): Promise<readonly string[]> {
  const repository = await openRepository(directory);
  return [...new Set(namesIn(repository, kind))].sort();
}

function namesIn(
  { containers, broken, configuration }: Awaited<ReturnType<typeof openRepository>>,
  kind: NameKind,
): readonly string[] {
  switch (kind) {
    case "containers":
      return [...containers, ...broken].map(({ name }) => name);
    case "sites":
      return [...configuration.sites.keys()];
    case "caches":
      return configuration.caches.map(({ url }) => url);
  }
}
