import type { Dialect } from "../../spec/dialect.ts";
import { formatSpec } from "../../spec/format.ts";
import { parseSpecs } from "../../spec/parse.ts";
import { asSpacktainersError, SpacktainersError } from "../../util/errors.ts";

/**
 * The specs in the words of a command line, as Spack takes them: a word without a package's name belongs to the spec before it
 * (`hdf5 +mpi %gcc`), and one word may have several specs in it.
 *
 * @param dialect undefined: the newer one, or the older one where only that can read them
 * @returns each spec as it was written, at least one
 * @throws {SpacktainersError} `SPEC_SYNTAX` with the column in the spec; `USAGE` for what names no package
 */
export function splitSpecs(words: readonly string[], dialect: Dialect | undefined): readonly string[] {
  if (dialect !== undefined) return splitIn(words, dialect);
  try {
    return splitIn(words, "1.x");
  } catch (thrown) {
    try {
      return splitIn(words, "0.x");
    } catch {
      throw thrown;
    }
  }
}

function splitIn(words: readonly string[], dialect: Dialect): readonly string[] {
  const texts: string[] = [];
  for (const word of words) {
    const text = word.trim();
    const previous = texts.at(-1);
    const [first] = previous === undefined ? [] : parseAll(text, dialect);
    const isContinued = first !== undefined && first.name === undefined && first.hash === undefined;
    if (isContinued && previous !== undefined) texts[texts.length - 1] = `${previous} ${text}`;
    else texts.push(text);
  }
  const specs = texts.flatMap((text) => {
    const parsed = parseAll(text, dialect);
    if (parsed.length === 0 || parsed.some(({ name, hash }) => name === undefined && hash === undefined))
      throw new SpacktainersError("USAGE", `\`${text}\` does not name a package`, {
        place: { spec: text },
        hint: "for example hdf5+mpi",
      });
    return parsed.length === 1 ? [text] : parsed.map((spec) => formatSpec(spec, dialect));
  });
  if (specs.length === 0)
    throw new SpacktainersError("USAGE", "no package is named", { hint: "for example hdf5+mpi" });
  return specs;
}

function parseAll(text: string, dialect: Dialect): ReturnType<typeof parseSpecs> {
  try {
    return parseSpecs(text, { dialect, place: { spec: text, line: 1, column: 1 } });
  } catch (thrown) {
    const { code, message, place, hint, cause } = asSpacktainersError(thrown);
    const where = / at character \d+$/.test(message) ? "" : `column ${place.column ?? 1} of \`${text}\`: `;
    throw new SpacktainersError(code, `${where}${message}`, {
      place: { ...place, spec: text },
      hint,
      cause,
    });
  }
}
