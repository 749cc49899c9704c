/** A basic string of TOML (v1.0.0), quotes included: any text, on one line. */
export function tomlString(text: string): string {
  // JSON's escapes are TOML's too, but for the delete character, which TOML wants escaped.
  return JSON.stringify(text).replaceAll("\u007f", "\\u007f");
}
