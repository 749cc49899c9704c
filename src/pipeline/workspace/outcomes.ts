/** Work for one container after the other: what fails for one does not keep the others from it. */
import type { Definition } from "../../definitions/container.ts";
import { errorsOf, oneError, SpacktainersError } from "../../util/errors.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import type { NamedEvents } from "../../util/nameEvents.ts";

/** What became of the work for one of several. */
export type Outcome<Subject, Result> =
  | { readonly subject: Subject; readonly name: string; readonly state: "done"; readonly result: Result }
  | {
      readonly subject: Subject;
      readonly name: string;
      readonly state: "failed";
      /** At least one. */
      readonly errors: readonly SpacktainersError[];
    }
  /** Not tried, because another one had failed before it and the others were not wanted then. */
  | { readonly subject: Subject; readonly name: string; readonly state: "skipped" };

/** How to go through them. */
export interface EachOptions<Result> {
  /** Told when the work for each begins and ends; undefined: nobody is. */
  readonly events: NamedEvents | undefined;
  readonly signal: AbortSignal;
  /** The first failure stops the rest. */
  readonly failFast: boolean;
  /** Whether what was done is a failure all the same; by default only what is thrown is. */
  readonly failed?: (result: Result) => boolean;
}

/**
 * Does work for each of several, one after the other.
 *
 * @param nameOf what each is called in events and errors
 * @returns what became of each, in their order
 * @throws {SpacktainersError} only when interrupted, at once
 */
export async function forEachOf<Subject, Result>(
  subjects: readonly Subject[],
  nameOf: (subject: Subject) => string,
  { events, signal, failFast, failed = () => false }: EachOptions<Result>,
  work: (subject: Subject) => Promise<Result>,
): Promise<readonly Outcome<Subject, Result>[]> {
  const outcomes: Outcome<Subject, Result>[] = [];
  const total = subjects.length;
  let stopped = false;
  for (const [index, subject] of subjects.entries()) {
    const name = nameOf(subject);
    if (stopped) {
      outcomes.push({ subject, name, state: "skipped" });
      continue;
    }
    stopIfAborted(signal);
    const place = { container: name, position: index + 1, total };
    try {
      const result = await (events === undefined
        ? work(subject)
        : events.during(place, () => work(subject), failed));
      outcomes.push({ subject, name, state: "done", result });
      stopped = failFast && failed(result);
    } catch (thrown) {
      stopIfAborted(signal);
      const errors = errorsOf(thrown);
      if (errors.some(({ code }) => code === "INTERRUPTED")) throw thrown;
      outcomes.push({ subject, name, state: "failed", errors });
      stopped = failFast;
    }
  }
  return outcomes;
}

/** What became of a container. */
export type ContainerOutcome<Result> = Outcome<Definition, Result>;

/** What a definition is called in events and errors: `arch/name`. */
export function definitionName({ arch, name }: Pick<Definition, "arch" | "name">): string {
  return arch === undefined ? name : `${arch}/${name}`;
}

/** As {@link forEachOf}, for containers: of a broken definition the outcome is what is wrong with it. */
export function forEachContainer<Result>(
  definitions: readonly Definition[],
  options: EachOptions<Result>,
  work: (container: Exclude<Definition, { kind: "broken" }>) => Promise<Result>,
): Promise<readonly ContainerOutcome<Result>[]> {
  return forEachOf(definitions, definitionName, options, async (definition) => {
    if (definition.kind === "broken") throw oneError(definition.errors);
    return work(definition);
  });
}

/** What the work gave, of those for which it was done. */
export function resultsOf<Result>(outcomes: readonly Outcome<unknown, Result>[]): readonly Result[] {
  return outcomes.flatMap((outcome) => (outcome.state === "done" ? [outcome.result] : []));
}

/** Everything that went wrong, in the order of the outcomes, as {@link namedErrors}. */
export function outcomeErrors(outcomes: readonly Outcome<unknown, unknown>[]): readonly SpacktainersError[] {
  const found = outcomes.flatMap((outcome) =>
    outcome.state === "failed" ? outcome.errors.map((error) => ({ name: outcome.name, error })) : [],
  );
  return namedErrors(found, { several: outcomes.length > 1 });
}

/**
 * Errors, in their order, each once. Where work was done for several, they say for which; what went wrong for some in the same
 * way is one error.
 */
export function namedErrors(
  found: readonly { readonly name: string; readonly error: SpacktainersError }[],
  { several }: { readonly several: boolean },
): readonly SpacktainersError[] {
  const same = new Map<string, { readonly error: SpacktainersError; readonly names: Set<string> }>();
  for (const { name, error } of found) {
    const { code, message, place, hint } = error;
    const key = JSON.stringify([code, message, place, hint]);
    const known = same.get(key) ?? { error, names: new Set() };
    known.names.add(name);
    same.set(key, known);
  }
  return [...same.values()].map(({ error, names }) => (several ? inContainers(error, [...names]) : error));
}

function inContainers(error: SpacktainersError, containers: readonly string[]): SpacktainersError {
  const { code, message, place, hint } = error;
  return new SpacktainersError(code, message, {
    place: { ...place, containers },
    hint,
    cause: error,
  });
}
