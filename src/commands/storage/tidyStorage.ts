/** From a command line of `storage` to what is kept on this machine, and what of it is removed. */

import { didYouMean } from "../../definitions/nearest.ts";
import {
  type KeptPart,
  keptPartNames,
  readKeptParts,
  removeItems,
  unusedItems,
} from "../../pipeline/workspace/keptParts.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import { SpacktainersError } from "../../util/errors.ts";

/** A command line of `storage`. */
export interface StorageRequest {
  /** Names of parts; none: all, but of those that are precious nothing is removed. */
  readonly parts: readonly string[];
  /** What was not used for so many days is removed; undefined: nothing. */
  readonly unusedDays: number | undefined;
  /** False: it is only said what would be removed. */
  readonly remove: boolean;
}

/** A part as it was found. */
export interface StoredPart {
  readonly name: string;
  readonly what: string | undefined;
  readonly items: number;
  readonly bytes: number;
  /** When anything in it was last used, in milliseconds since 1970; undefined: it is empty. */
  readonly lastUsed: number | undefined;
  /** Of what is asked to be removed. */
  readonly unused: { readonly items: number; readonly bytes: number };
}

/** What is kept, and what was done. */
export interface Storage {
  readonly directory: string;
  readonly parts: readonly StoredPart[];
  /** What was removed; undefined if nothing was to be removed. */
  readonly removed: { readonly items: number; readonly bytes: number } | undefined;
}

const dayMs = 86_400_000;

/**
 * Looks at the cache home, and removes from it.
 *
 * @throws {SpacktainersError} `USAGE` for a part that there is not; `IO` where this user has no home
 */
export async function tidyStorage(request: StorageRequest): Promise<Storage> {
  const directory = cacheHome();
  const kept = await readKeptParts(directory, { names: request.parts });
  for (const name of request.parts)
    if (!kept.some((part) => part.name === name) && !keptPartNames.includes(name))
      throw new SpacktainersError("USAGE", `there is no part \`${name}\``, {
        hint: didYouMean(name, keptPartNames) ?? `use one of ${keptPartNames.join(", ")}`,
      });
  const { unusedDays } = request;
  const unused = await Promise.all(
    kept.map(async (part) => {
      const isSpared = part.precious && !request.parts.includes(part.name);
      return unusedDays === undefined || isSpared ? [] : unusedItems([part], unusedDays * dayMs);
    }),
  );
  const removed = unusedDays !== undefined && request.remove ? await removeItems(unused.flat()) : undefined;
  const parts = kept.map((part, at) => storedPart(part, unused[at] ?? []));
  return { directory, parts, removed };
}

function storedPart({ name, what, items }: KeptPart, unused: KeptPart["items"]): StoredPart {
  const sum = (some: KeptPart["items"]): number => some.reduce((total, { bytes }) => total + bytes, 0);
  const lastUsed = items.reduce<number | undefined>(
    (last, { used }) => (last === undefined || used > last ? used : last),
    undefined,
  );
  return {
    name,
    what,
    items: items.length,
    bytes: sum(items),
    lastUsed,
    unused: { items: unused.length, bytes: sum(unused) },
  };
}
