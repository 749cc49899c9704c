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
      // Another process may have made it since, however soon the lock was free.
      if (await isThere()) return;
      await make().catch(async (error: unknown) => {
        // A process that was thought dead may have come to the end of it.
        const code = String((error as NodeJS.ErrnoException).code);
        if (!["ENOTEMPTY", "EEXIST"].includes(code) || !(await isThere())) throw error;
      });
    },
    {
      signal,
      waiting: (holder) => emit({ type: "waiting", what, holder }),
    },
  );
}
