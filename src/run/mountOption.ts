import type { Bind } from "./types.ts";

/**
 * The value of a runtime's `--mount`: fields with commas between, quoted as in a CSV file (RFC 4180) where a path needs it.
 *
 * @param place the runtime's name for the place in the container
 * @param readOnly the runtime's word for a bind that cannot be written to
 */
export function mountOption(
  bind: Bind,
  place: "target" | "destination",
  readOnly: "readonly" | "ro",
): string {
  const quoted = (field: string): string =>
    /[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
  const fields = ["type=bind", `source=${bind.source}`, `${place}=${bind.target}`];
  if (bind.readOnly) fields.push(readOnly);
  return fields.map(quoted).join(",");
}
