/** `Packages` indexes: read once by streaming, kept on disk as one line a package, looked up by name. */
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { type PackageRecord, parseRecordLine, recordLine } from "./packageRecord.ts";
import { parseRelations } from "./relations.ts";

/** Longest paragraph accepted, in characters; Debian's longest are some 20 000. */
const maxParagraph = 2 ** 20;

/**
 * Turns a `Packages` index into lines (see `packageRecord.ts`), in the index's order. Paragraphs without the fields
 * needed are left out.
 *
 * @param chunks the uncompressed index, in pieces of any size
 * @returns pieces of text, whole lines each; Latin-1, one character a byte
 * @throws SpacktainersError ARCHIVE_INVALID for an absurdly long paragraph
 */
export async function* compactPackages(
  chunks: AsyncIterable<Uint8Array>,
  where: Place,
): AsyncGenerator<string, void, void> {
  let rest = "";
  for await (const chunk of chunks) {
    const text = rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("latin1");
    let out = "";
    let at = 0;
    for (let end = text.indexOf("\n\n", at); end >= 0; end = text.indexOf("\n\n", at)) {
      const line = recordLine(text.slice(at, end));
      if (line !== undefined) out += `${line}\n`;
      at = end + 2;
    }
    rest = text.slice(at);
    if (rest.length > maxParagraph)
      throw new SpacktainersError("ARCHIVE_INVALID", "the package index has a paragraph without end", {
        place: where,
      });
    if (out !== "") yield out;
  }
  const last = recordLine(rest);
  if (last !== undefined) yield `${last}\n`;
}

/** A record and the index it is from. */
export interface OfferedPackage extends PackageRecord {
  /** Position of its index in the list given to {@link openPackageIndex}. */
  readonly index: number;
}

/** A package that provides a name. */
export interface Provider {
  readonly package: OfferedPackage;
  /** Version of the name it provides, when it says. */
  readonly version?: string;
}

/** All packages on offer. */
export interface PackageIndex {
  /** Packages of this name, in the order of the indexes. */
  named(name: string): readonly OfferedPackage[];
  /** Packages that provide this name, real ones of the name left out. */
  providers(name: string): readonly Provider[];
  /** All names, unsorted. */
  names(): Iterable<string>;
}

/**
 * Opens indexes made by {@link compactPackages}.
 * @param indexes their whole text
 */
export function openPackageIndex(indexes: readonly string[]): PackageIndex {
  const byName = new Map<string, [index: number, line: string][]>();
  const byProvided = new Map<string, [index: number, line: string][]>();
  for (const [index, text] of indexes.entries()) {
    for (let at = 0; at < text.length; ) {
      const newline = text.indexOf("\n", at);
      const end = newline < 0 ? text.length : newline;
      const line = text.slice(at, end);
      const nameEnd = line.indexOf("\t");
      push(byName, line.slice(0, nameEnd), [index, line]);
      if (line[nameEnd + 1] !== "\t") {
        const provides = line.slice(nameEnd + 1, line.indexOf("\t", nameEnd + 1));
        for (const name of providedNames(provides)) push(byProvided, name, [index, line]);
      }
      at = end + 1;
    }
  }
  // One object a package, however it is found.
  const known = indexes.map((_, index) =>
    remember((line: string): OfferedPackage[] => {
      const record = parseRecordLine(line);
      return record === undefined ? [] : [{ ...record, index }];
    }),
  );
  const offered = ([index, line]: readonly [number, string]): OfferedPackage[] => known[index]?.(line) ?? [];
  const named = remember((name: string) => (byName.get(name) ?? []).flatMap(offered));
  const providers = remember((name: string) =>
    (byProvided.get(name) ?? [])
      .flatMap(offered)
      .filter((one) => one.name !== name)
      .flatMap((one): Provider[] => {
        const versions = (parseRelations(one.provides) ?? [])
          .flatMap(([relation]) => (relation?.name === name ? [relation.version] : []))
          .map((version) => (version?.operator === "=" ? version.version : undefined));
        return versions.map((version) =>
          version === undefined ? { package: one } : { package: one, version },
        );
      }),
  );
  return { named, providers, names: () => byName.keys() };
}

function providedNames(provides: string): Set<string> {
  return new Set(
    provides.split(",").map((part) => (part.split("(", 1)[0] ?? "").split(":", 1)[0]?.trim() ?? ""),
  );
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function remember<T>(compute: (key: string) => T): (key: string) => T {
  const known = new Map<string, T>();
  return (key) => {
    let value = known.get(key);
    if (value === undefined) {
      value = compute(key);
      known.set(key, value);
    }
    return value;
  };
}
