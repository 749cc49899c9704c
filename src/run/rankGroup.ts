/**
 * Ranks of one machine share the namespaces of the one that comes first: only then can they read one another's memory, and the image is
 * mounted once.
 */
import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { EmitEvent } from "../util/events.ts";
import { acquireLock, livingHolder } from "../util/fileLock.ts";
import { stopIfAborted } from "../util/interruption.ts";
import type { JoinedRank, SharedRoot } from "./namespaceStart.ts";
import { rankFolder } from "./rankFolder.ts";

/** What a rank is to do. */
export type RankPlace =
  /** Make namespaces; `release` gives the place to another when that fails. */
  | { readonly kind: "make"; readonly root: SharedRoot; readonly release: () => Promise<void> }
  /** Go where another is. */
  | { readonly kind: "join"; readonly rank: JoinedRank };

/** How often a rank looks whether the first one is ready, in milliseconds. */
const pace = 15;
/** Waiting so long is not worth a word, in milliseconds. */
const shortWait = 1_000;

/**
 * Finds out whether a rank of the same program start is here already with an equal root, and waits while that is on its way.
 *
 * @param key decides what root the program gets
 * @returns undefined where ranks cannot find one another: there is no folder for it
 * @throws SpacktainersError INTERRUPTED
 */
export async function findRankPlace(
  key: string,
  { emit, signal }: { readonly emit: EmitEvent; readonly signal?: AbortSignal | undefined },
): Promise<RankPlace | undefined> {
  const folder = await rankFolder(key);
  if (folder === undefined) return undefined;
  const root = { claim: join(folder, "claim"), ready: join(folder, "ready") };
  const begin = performance.now();
  let isTold = false;
  for (;;) {
    const first = await joinable(root.ready);
    if (first !== undefined) return { kind: "join", rank: first };
    const release = await acquireLock(root.claim, { patience: 0, signal });
    if (release !== undefined) {
      // It may have become ready in between.
      const late = await joinable(root.ready);
      if (late === undefined) return { kind: "make", root, release };
      await release();
      return { kind: "join", rank: late };
    }
    if (!isTold && performance.now() - begin > shortWait) {
      const holder = await livingHolder(root.claim);
      emit({ type: "waiting", what: "making the container", holder });
      isTold = true;
    }
    await sleep(pace);
    stopIfAborted(signal);
  }
}

async function joinable(path: string): Promise<JoinedRank | undefined> {
  const holder = await livingHolder(path);
  if (holder === undefined) return undefined;
  try {
    const namespace = readlinkSync(`/proc/${holder.pid}/ns/user`);
    return namespace === readlinkSync("/proc/self/ns/user") ? undefined : { pid: holder.pid, namespace };
  } catch {
    return undefined;
  }
}
