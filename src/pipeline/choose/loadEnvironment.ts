import { readFile } from "node:fs/promises";
import type { Container } from "../../definitions/repository.ts";
import { loadLock, loadManifest } from "../../environment/load.ts";
import { lockStaleness } from "../../environment/lock.ts";
import type { ManifestOptions } from "../../environment/manifest.ts";
import type { Environment, Lock } from "../../environment/types.ts";
import { asSpacktainersError, type SpacktainersError, SpacktainersErrors } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";

/** An environment ready to be resolved. */
export interface LoadedEnvironment {
  readonly environment: Environment;
  /** The manifest, word for word: it goes into the image. */
  readonly manifestText: string;
  readonly lock: Lock | undefined;
  readonly lockText: string | undefined;
  /** In what the lock does not fit the manifest (`LOCK_STALE`). */
  readonly stale: readonly SpacktainersError[];
}

/** How to read. */
export interface EnvironmentOptions extends Pick<ManifestOptions, "dialect" | "platform"> {
  /** Do not warn of a lock that does not fit: the caller refuses it. */
  readonly frozen?: boolean;
}

/**
 * Reads a container's manifest and, when there is one beside it, its lock. A lock that does not fit the manifest is used
 * all the same, with a warning, as Spack does.
 *
 * @throws {SpacktainersErrors} every problem of the manifest and of the lock (`LOCK_INVALID`)
 */
export async function loadEnvironment(
  container: Pick<Container, "path" | "lock">,
  { frozen = false, ...options }: EnvironmentOptions,
  emit: EmitEvent,
): Promise<LoadedEnvironment> {
  const unreadable: SpacktainersError[] = [];
  const lock =
    container.lock === undefined
      ? undefined
      : await loadLock(container.lock).catch((error: unknown) => {
          unreadable.push(asSpacktainersError(error, { file: container.lock ?? "" }));
          return undefined;
        });
  // The lock knows which generation of Spack wrote it, and so how to read the manifest.
  const dialect = options.dialect ?? lock?.dialect;
  const reading = await loadManifest(container.path, { ...options, dialect });
  if (reading.environment === undefined || unreadable.length > 0)
    throw new SpacktainersErrors([...reading.errors, ...unreadable]);
  const stale = lock === undefined ? [] : lockStaleness(lock, reading.environment);
  for (const { code, message, place, hint } of [...reading.warnings, ...(frozen ? [] : stale)])
    emit({ type: "warning", code, message, place, hint });
  return {
    environment: reading.environment,
    manifestText: await readFile(container.path, "utf8"),
    lock,
    lockText: container.lock === undefined ? undefined : await readFile(container.lock, "utf8"),
    stale,
  };
}
