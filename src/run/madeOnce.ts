import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { EmitEvent } from "../util/events.ts";
import { acquireLock } from "../util/fileLock.ts";

/** Something that several processes need and one makes. */
export interface Shared {
  /** Path of the lock's file. */
  readonly lock: string;
  /** What whoever makes it is doing, for those who wait: "unpacking layer 0123". */
  readonly what: string;
  /** Whether it is there; may take a while (an engine is asked). */
  readonly isThere: () => Promise<boolean>;
  readonly make: () => Promise<void>;
}

/**
 * Makes something once: the first process does, others that need it meanwhile wait until it is there. When the first fails or is
 * gone, the next one tries.
 *
 * @throws what `make` throws; INTERRUPTED while waiting
 */
export async function madeOnce(
  { lock, what, isThere, make }: Shared,
  { emit, signal }: { readonly emit: EmitEvent; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const before = await changed(dirname(lock));
  if (await isThere()) return;
  // Where nobody has had the lock meanwhile, nobody has made it.
  const isUndisturbed = (await changed(dirname(lock))) === before;
  const atOnce = await acquireLock(lock, { patience: 0, signal });
  const release =
    atOnce ??
    (await acquireLock(lock, {
      signal,
      waiting: (holder) => emit({ type: "waiting", what, ...(holder === undefined ? {} : { holder }) }),
    }));
  try {
    const isCertain = atOnce !== undefined && isUndisturbed;
    if (isCertain || !(await isThere())) await make();
  } catch (error) {
    // Who was thought dead may have come to the end of it.
    if (
      !["ENOTEMPTY", "EEXIST"].includes(String((error as NodeJS.ErrnoException).code)) ||
      !(await isThere())
    )
      throw error;
  } finally {
    await release?.();
  }
}

/** When something in a directory was last made or removed; undefined: it is not there. */
async function changed(directory: string): Promise<bigint | undefined> {
  return stat(directory, { bigint: true }).then(
    (facts) => facts.mtimeNs,
    () => undefined,
  );
}
