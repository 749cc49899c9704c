import type { CacheFormat } from "./format.ts";
import type { OpenedFormats } from "./openFormats.ts";

/**
 * The formats that a cache has, in the order they are asked. Several may coexist. Where nobody can tell (a server that cannot
 * list folders, with neither an index nor any other known file), all are taken to be there: packages can be found by their
 * computed names alone. None for a cache that is still to be filled.
 *
 * @throws CACHE_UNAVAILABLE when nothing is there; CACHE_INVALID when what is there is no build cache; NETWORK, ACCESS_DENIED
 */
export async function presentFormats({
  formats,
  mayBeEmpty,
  explainAbsence,
}: OpenedFormats): Promise<readonly CacheFormat[]> {
  // All answers are waited for: nothing may continue after a failure, when the cache is closed.
  const answers = await Promise.allSettled(formats.map((format) => format.isPresent()));
  const present = answers.map((answer) => {
    if (answer.status === "rejected") throw answer.reason;
    return answer.value;
  });
  const found = formats.filter((_, at) => present[at] === true);
  if (found.length > 0) return found;
  if (present.every((answer) => answer === undefined)) return formats;
  if (mayBeEmpty) return [];
  throw await explainAbsence();
}
