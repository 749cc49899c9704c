/** When a cache's archive of a package turns out to be missing or damaged, and another cache has another archive of it. */
import { SpacktainersError } from "../util/errors.ts";

/** What was planned with one archive of a package has to be planned again with another one. */
export class OtherCopyNeeded extends SpacktainersError {
  /**
   * @param failure of the first archive
   * @param url of the cache that has another
   */
  constructor(failure: SpacktainersError, name: string, url: string) {
    super(failure.code, failure.message, {
      place: failure.place,
      hint: `${url} has another archive of ${name}: run this command again to use it`,
      cause: failure,
    });
  }
}

/**
 * Does something that plans with packages of caches and then fetches their archives; again, when one of these cannot be had
 * and a cache has another archive. The set of caches knows by then which ones are of no use, so that it comes to an end.
 */
export async function withOtherCopies<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (thrown) {
      if (!(thrown instanceof OtherCopyNeeded)) throw thrown;
    }
  }
}
