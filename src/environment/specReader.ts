/** Specs in YAML: parsed, with places that point at the character. */
import { placeInScalar, type YamlNode, type YamlScalar } from "../definitions/positionedYaml.ts";
import type { Dialect } from "../spec/abstract.ts";
import { parseSpec, type Toolchain } from "../spec/parse.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { PlacedSpec } from "./types.ts";
import { expectText, type YamlReader } from "./yamlReader.ts";

/** A YAML reader that also knows how specs are written. */
export interface SpecReader extends YamlReader {
  readonly dialect: Dialect;
  readonly toolchains: ReadonlyMap<string, Toolchain>;
}

/** Longest text of one spec. */
const longestSpec = 10_000;

/**
 * Parses the spec in a scalar of a manifest; a syntax error becomes a problem at its character. As in Spack, a colon at the
 * end of a text without `@` is not part of it: there it could be the `::` of a key, and Spack does not look whether it is.
 */
export function readSpec(reader: SpecReader, scalar: YamlScalar): PlacedSpec | undefined {
  const { text } = scalar;
  if (!text.endsWith(":") || text.includes("@")) return parsePlaced(reader, scalar);
  const kept = text.slice(0, -1);
  const read = parsePlaced(reader, { ...scalar, text: kept, value: kept });
  if (read !== undefined) {
    const name = read.spec.name !== undefined && text.startsWith(read.spec.name) ? read.spec.name : "";
    const after = text.slice(name.length);
    reader.problems.warning(
      "SPEC_SYNTAX",
      `to Spack, \`${text}\` is \`${kept}\`: without an @ in it, a text loses a colon at its end`,
      placeInScalar(scalar, kept.length),
      `for a range, write \`${name}@:${name === "" ? " " : ""}${after}\``,
    );
  }
  return read;
}

/** Parses a spec whose text is not a manifest's own, such as a combination of several. */
export function parsePlaced(reader: SpecReader, scalar: YamlScalar): PlacedSpec | undefined {
  const { text } = scalar;
  const place = placeInScalar(scalar, 0);
  if (text.length > longestSpec) {
    reader.problems.error("SPEC_SYNTAX", `a spec cannot be longer than ${longestSpec} characters`, place);
    return undefined;
  }
  try {
    const spec = parseSpec(text, { dialect: reader.dialect, place, toolchains: reader.toolchains });
    return { text, spec, place };
  } catch (thrown) {
    if (!(thrown instanceof SpacktainersError)) throw thrown;
    reader.problems.add(thrown);
    return undefined;
  }
}

/** Parses a spec that must be text. */
export function expectSpec(reader: SpecReader, node: YamlNode, what: string): PlacedSpec | undefined {
  const scalar = expectText(reader, node, what);
  return scalar === undefined ? undefined : readSpec(reader, scalar);
}
