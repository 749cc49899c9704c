/** A lock is a choice already made. */
import type { Lock } from "../environment/types.ts";
import type { Resolution } from "./types.ts";

/** The resolution that a lock holds: its roots, then those of environments it includes. */
export function chooseFromLock(lock: Lock): Resolution {
  return {
    roots: [
      ...lock.roots.map(({ request, hash }) => ({ request, hash })),
      ...lock.includedRoots.map(({ request, hash }) => ({ request, hash, included: true as const })),
    ],
    graph: lock.graph,
    origin: "lock",
  };
}
