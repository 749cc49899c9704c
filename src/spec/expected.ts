/** Words for what the parser of specs expects: for its error messages. */

/** What can stand anywhere in a spec. */
export const anything = "a name, @version, +variant, ~variant, name=value, ^dependency or %compiler";

/** What must follow a character that begins nothing by itself; undefined for characters that never begin anything. */
export function expectedAfter(character: string, before: string): string | undefined {
  switch (character) {
    case "@":
      return "a version after @";
    case "+":
    case "~":
    case "-":
      return `the name of a variant after ${character}`;
    case "%":
      return "the name of a compiler after %";
    case "/":
      return "a hash after /";
    case "=":
      return /[\w.-]:?=?$/.test(before)
        ? "a value after = (in quotes if it has other characters)"
        : undefined;
    default:
      return undefined;
  }
}
