/**
 * Does something the first time it is asked for, and gives the same answer ever after. A failure is an answer, too: what
 * cannot be had is not asked for again and again.
 */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
