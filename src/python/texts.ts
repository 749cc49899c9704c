/** How Python writes texts and numbers in a program, and how it prints them. */
import { NotUnderstood, PythonException } from "./problem.ts";

const simpleEscapes: Readonly<Record<string, string>> = {
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\n": "",
};

/**
 * The inside of a string literal with its escapes replaced. An escape that Python does not know stays as it is.
 *
 * @throws PythonException for an escape that Python refuses
 * @throws NotUnderstood for characters by their names
 */
export function unescaped(text: string): string {
  return text.replace(
    /\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]))/g,
    (whole: string, ...groups: (string | undefined)[]) => {
      const [octal, hex, short, long, character = ""] = groups;
      if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
      const code = hex ?? short ?? long;
      if (code !== undefined) {
        const point = Number.parseInt(code, 16);
        if (point > 0x10_ffff) throw new PythonException("SyntaxError", "there is no such character");
        return String.fromCodePoint(point);
      }
      if (character === "N") throw new NotUnderstood("`\\N`");
      if (/^[xuU]$/.test(character))
        throw new PythonException("SyntaxError", `\`${whole}\` is not followed by the digits of a character`);
      return simpleEscapes[character] ?? whole;
    },
  );
}

/** `repr` of a text. */
export function quotedText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inner = text
    .replaceAll("\\", "\\\\")
    .replaceAll(quote, `\\${quote}`)
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    .replaceAll("\t", "\\t")
    .replace(/\p{Cc}/gu, (control) => `\\x${(control.codePointAt(0) ?? 0).toString(16).padStart(2, "0")}`);
  return quote + inner + quote;
}

/** `str` of a float: `7.0`, `1e+16`, `inf`. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16))
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  const plain = String(value);
  return plain.includes(".") ? plain : `${plain}.0`;
}
