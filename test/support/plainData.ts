/** A value as JSON would hold it. Layers read themselves through functions, and no two functions are equal. */
export function plainData(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
