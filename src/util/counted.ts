/**
 * A number and the thing counted, for people: `1 package`, `2 packages`.
 * @param many the plural, where it is not the singular and an s
 */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
