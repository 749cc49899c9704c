import type { EmitEvent } from "../util/events.ts";
import { withFileLock } from "../util/fileLock.ts";

/** Something that several processes need and one makes. */
export interface Shared {
  /** Path of the lock's file. */
  readonly lock: string;
  /** What whoever makes it is doing, for those who wait: "unpacking layer 0123". */
  readonly what: string;
  /** Whether it is there; asked first without the lock, then with it. */
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
  if (await isThere()) return;
  await withFileLock(
    lock,
    async () => {
      if (!(await isThere())) await make();
    },
    {
      signal,
      waiting: (holder) => emit({ type: "waiting", what, ...(holder === undefined ? {} : { holder }) }),
    },
  );
}
