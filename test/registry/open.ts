import { parseRegistryAddress } from "../../src/registry/address.ts";
import { parseRepositoryPath } from "../../src/registry/reference.ts";
import { type ImageRepository, openRegistry, type RegistryOptions } from "../../src/registry/registry.ts";
import type { WorkEvent } from "../../src/util/events.ts";

/** A repository of a registry under test, that waits little, sees no variables of this machine, and keeps its events. */
export interface OpenedRepository {
  readonly repository: ImageRepository;
  readonly events: readonly WorkEvent[];
  /** Another repository of the same registry. */
  other(path: string): ImageRepository;
  close(): Promise<void>;
}

/** @param name `HOST[:PORT]/PATH` */
export function openRepository(name: string, options: Partial<RegistryOptions> = {}): OpenedRepository {
  const { host, prefix, scheme } = parseRegistryAddress(name);
  if (prefix === undefined) throw new Error(`no path in ${name}`);
  const events: WorkEvent[] = [];
  const registry = openRegistry({
    host,
    scheme,
    env: {},
    retryDelayMs: 5,
    emit: (event) => events.push(event),
    ...options,
  });
  return {
    repository: registry.repository(prefix),
    events,
    other: (path) => registry.repository(parseRepositoryPath(path, host)),
    close: () => registry.close(),
  };
}
