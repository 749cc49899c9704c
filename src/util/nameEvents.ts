import type { EmitEvent } from "./events.ts";

/** Events that say for which of several containers they are. */
export interface NamedEvents {
  /** Passes events on, with the container that work is done for at the time. */
  readonly emit: EmitEvent;
  /**
   * Does the work for a container, and reports its beginning and its end.
   *
   * @param failed whether what the work gave is a failure
   * @throws what the work throws
   */
  during<Result>(
    place: ContainerPlace,
    work: () => Promise<Result>,
    failed: (result: Result) => boolean,
  ): Promise<Result>;
}

/** A container among those that work is done for. */
export interface ContainerPlace {
  /** `arch/name`, or whatever else it is called. */
  readonly container: string;
  /** From 1. */
  readonly position: number;
  readonly total: number;
}

/**
 * Events of work that is done for one container after the other.
 *
 * What only shows how far a task is has no name: its beginning has.
 */
export function nameEvents(emit: EmitEvent): NamedEvents {
  let current: string | undefined;
  return {
    emit: (event) =>
      emit(
        current === undefined || event.type === "task-progress" || event.container !== undefined
          ? event
          : { ...event, container: current },
      ),
    async during(place, work, failed) {
      const { container } = place;
      emit({ type: "container-start", ...place });
      current = container;
      try {
        const result = await work();
        emit({ type: "container-end", container, outcome: failed(result) ? "failed" : "done" });
        return result;
      } catch (thrown) {
        emit({ type: "container-end", container, outcome: "failed" });
        throw thrown;
      } finally {
        current = undefined;
      }
    },
  };
}
