/** Documents of our own `--json` output, read loosely: what is not of the expected kind is not there. */

/** A document. */
export type JsonDocument = Readonly<Record<string, unknown>>;

/** The value if it is an object, else undefined. */
export function asObject(value: unknown): JsonDocument | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as JsonDocument)
    : undefined;
}

/**
 * The objects of a list.
 *
 * @param whatever other items count, too, as empty objects
 */
export function listOf(value: unknown, whatever = false): readonly JsonDocument[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item: unknown) => {
    const object = asObject(item);
    return object === undefined ? (whatever ? [{}] : []) : [object];
  });
}

/** The value if it is text, else undefined. */
export function stringOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The value if it is a number, else undefined. */
export function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
