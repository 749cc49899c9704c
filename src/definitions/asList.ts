/** Values where one may stand without the brackets of a list. */
export function asList(value: string | readonly string[] | undefined): readonly string[] {
  return typeof value === "string" ? [value] : (value ?? []);
}
