import { SpacktainersError } from "../util/errors.ts";

/**
 * Object stores answer 403 rather than 404 for a missing object to those who may not list the bucket. Once a store
 * has let us read something, a refusal is therefore taken for absence; before that, it is reported.
 */
export function refusalMeansAbsence(): <T>(read: Promise<T>) => Promise<T | undefined> {
  let readable = false;
  return async (read) => {
    try {
      const answer = await read;
      const status = (answer as { status?: unknown } | undefined)?.status;
      if (answer !== undefined && status !== 404) readable = true;
      return answer;
    } catch (thrown) {
      if (readable && thrown instanceof SpacktainersError && thrown.code === "ACCESS_DENIED")
        return undefined;
      throw thrown;
    }
  };
}
