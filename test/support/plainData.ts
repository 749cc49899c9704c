/** The data of a value: what of it JSON has. Layers read themselves by functions, which are no part of what they are. */
export function plainData(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
