import { SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { type Surroundings, withSurroundings } from "../util/surroundings.ts";
import type { Session } from "./requests.ts";

/** What a request may have in place of the session's. */
interface OwnTerms {
  readonly emit?: EmitEvent | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Does the work of one method.
 *
 * @param given the request, with an `emit` and a `signal` of its own or those of the session
 * @throws {SpacktainersError} `INTERRUPTED` for whatever an abort makes fail
 */
export type DoWork = <Result>(given: object, work: (session: Session) => Promise<Result>) => Promise<Result>;

/** How the methods of a session do their work: in its surroundings, on its terms. */
export function workIn(session: Session, surroundings: Surroundings): DoWork {
  return async (given, work) => {
    const { emit = session.emit, signal: own }: OwnTerms = given;
    const signal = own === undefined ? session.signal : AbortSignal.any([session.signal, own]);
    try {
      signal.throwIfAborted();
      return await withSurroundings(surroundings, () => work({ ...session, emit, signal }));
    } catch (thrown) {
      if (!signal.aborted || thrown instanceof SpacktainersError || thrown instanceof SpacktainersErrors)
        throw thrown;
      throw new SpacktainersError("INTERRUPTED", "interrupted", { cause: thrown });
    }
  };
}
