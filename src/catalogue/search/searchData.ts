/**
 * The data that a search needs, small: texts, architectures, variants and kinds of edges stand in tables, and everything else
 * says by a number which one it has. It is written when a catalogue is made and read by the browser.
 */
import type { ConcreteEdge, ConcreteSpec, DagHash, DependencyType } from "../../spec/concrete.ts";
import type { CatalogueFacts } from "../facts.ts";
import { containerPath, imageLabel, imagePaths } from "../paths.ts";

/** Edges of a package, flat: number of a package, number of a kind of edge, and so on. */
type FlatEdges = readonly number[];

/** Hash, name, version, architecture, variants, traits, edges: numbers are rows of the tables. */
export type PackageRow = readonly [
  hash: string,
  name: number,
  version: number,
  arch: number,
  variants: number,
  traits: number,
  edges: FlatEdges,
];

/** What few packages differ in. */
export interface Traits {
  readonly namespace?: string;
  readonly compiler?: readonly [name: string, version: string];
  readonly flags?: readonly (readonly [kind: string, flags: readonly string[]])[];
  /** Path of an external package; null: it has modules alone. */
  readonly external?: string | null;
  readonly provided?: readonly string[];
  readonly format: number;
  /** Format that the package was first written in. */
  readonly original?: number;
}

/** The file. */
export interface SearchData {
  readonly version: 1;
  readonly strings: readonly string[];
  /** Platform, operating system, target: rows of `strings`. */
  readonly arches: readonly (readonly [number, number, number])[];
  readonly variants: readonly (readonly (readonly [
    name: number,
    value: boolean | number | readonly number[],
  ])[])[];
  readonly traits: readonly Traits[];
  readonly edges: readonly (readonly [types: string, virtuals: string, direct: 0 | 1])[];
  /** By name, version, hash. */
  readonly packages: readonly PackageRow[];
  /** In the order of the front page. */
  readonly containers: readonly SearchedContainer[];
}

/** A container that can be found. */
export interface SearchedContainer {
  readonly name: string;
  readonly description: string;
  readonly path: string;
  readonly images: readonly {
    readonly label: string;
    readonly path: string;
    /** Rows of `packages` in ascending order: each says how much further than the one before. */
    readonly packages: readonly number[];
  }[];
}

const typeLetters: Readonly<Record<DependencyType, string>> = {
  build: "b",
  link: "l",
  run: "r",
  test: "t",
};
const typesByLetter = new Map(
  Object.entries(typeLetters).map(([type, letter]) => [letter, type as DependencyType]),
);

/** A table whose rows are there once. */
class Table<Row> {
  readonly rows: Row[] = [];
  private readonly known = new Map<string, number>();

  add(row: Row): number {
    const key = JSON.stringify(row);
    const at = this.known.get(key);
    if (at !== undefined) return at;
    this.known.set(key, this.rows.length);
    this.rows.push(row);
    return this.rows.length - 1;
  }
}

/** Order of packages everywhere in a catalogue: by name, version, hash, as texts. */
export function byNameAndVersion(
  a: Pick<ConcreteSpec, "name" | "version" | "hash">,
  b: Pick<ConcreteSpec, "name" | "version" | "hash">,
): number {
  for (const key of ["name", "version", "hash"] as const)
    if (a[key] !== b[key]) return a[key] < b[key] ? -1 : 1;
  return 0;
}

/** Makes the data. The same facts give the same data. */
export function makeSearchData({ graph, containers }: CatalogueFacts): SearchData {
  const strings = new Table<string>();
  const arches = new Table<readonly [number, number, number]>();
  const variants = new Table<SearchData["variants"][number]>();
  const traits = new Table<Traits>();
  const edges = new Table<SearchData["edges"][number]>();
  const sorted = [...graph.values()].sort(byNameAndVersion);
  const rowOf = new Map(sorted.map(({ hash }, at) => [hash, at]));
  const flat = ({ hash, types, virtuals, direct }: ConcreteEdge): readonly number[] => {
    const target = rowOf.get(hash);
    if (target === undefined) return [];
    const letters = [...types].map((type) => typeLetters[type]).sort();
    return [target, edges.add([letters.join(""), [...virtuals].sort().join(" "), direct ? 1 : 0])];
  };
  const packages = sorted.map((spec): PackageRow => {
    const arch = arches.add([strings.add(spec.platform), strings.add(spec.os), strings.add(spec.target)]);
    const values = [...spec.variants].map(([name, value]) => {
      const row =
        typeof value === "boolean"
          ? value
          : typeof value === "string"
            ? strings.add(value)
            : value.map((one) => strings.add(one));
      return [strings.add(name), row] as const;
    });
    return [
      spec.hash,
      strings.add(spec.name),
      strings.add(spec.version),
      arch,
      variants.add(values),
      traits.add(traitsOf(spec)),
      spec.dependencies.flatMap(flat),
    ];
  });
  return {
    version: 1,
    strings: strings.rows,
    arches: arches.rows,
    variants: variants.rows,
    traits: traits.rows,
    edges: edges.rows,
    packages,
    containers: containers.map((container): SearchedContainer => {
      const paths = imagePaths(container);
      return {
        name: container.name,
        description: container.description ?? "",
        path: containerPath(container),
        images: container.images.map((image, at) => ({
          label: imageLabel(image),
          path: paths[at] ?? containerPath(container),
          packages: steps([...image.packages, ...image.externals].flatMap((hash) => rowOf.get(hash) ?? [])),
        })),
      };
    }),
  };
}

function steps(rows: readonly number[]): readonly number[] {
  const sorted = [...new Set(rows)].sort((a, b) => a - b);
  return sorted.map((row, at) => row - (sorted[at - 1] ?? 0));
}

function traitsOf(spec: ConcreteSpec): Traits {
  const { namespace, compiler, flags, external, providedVirtuals, annotations, specfileVersion } = spec;
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(compiler === undefined ? {} : { compiler: [compiler.name, compiler.version] as const }),
    ...(flags.size === 0 ? {} : { flags: [...flags] }),
    ...(external === undefined ? {} : { external: external.path ?? null }),
    ...(providedVirtuals === undefined ? {} : { provided: providedVirtuals }),
    format: specfileVersion,
    ...(annotations === undefined ? {} : { original: annotations.originalSpecfileVersion }),
  };
}

/** The packages of search data, made when they are first asked for. */
export function openPackages(data: SearchData): {
  readonly at: (row: number) => ConcreteSpec | undefined;
  readonly get: (hash: DagHash) => ConcreteSpec | undefined;
} {
  const made = new Array<ConcreteSpec | undefined>(data.packages.length);
  const rows = new Map(data.packages.map(([hash], at) => [hash, at]));
  const string = (row: number): string => data.strings[row] ?? "";
  const kinds = data.edges.map(([letters, virtuals, direct]) => ({
    types: new Set([...letters].flatMap((letter) => typesByLetter.get(letter) ?? [])),
    virtuals: virtuals === "" ? [] : virtuals.split(" "),
    direct: direct === 1,
  }));
  const variantSets = data.variants.map(
    (list) =>
      new Map(
        list.map(([name, value]) => [
          string(name),
          typeof value === "boolean" ? value : typeof value === "number" ? string(value) : value.map(string),
        ]),
      ),
  );
  const edgesOf = (flat: FlatEdges): readonly ConcreteEdge[] => {
    const list: ConcreteEdge[] = [];
    for (let at = 0; at + 1 < flat.length; at += 2) {
      const target = data.packages[flat[at] ?? -1];
      const kind = kinds[flat[at + 1] ?? -1];
      if (target === undefined || kind === undefined) continue;
      list.push({ name: string(target[1]), hash: target[0] as DagHash, ...kind });
    }
    return list;
  };
  const at = (row: number): ConcreteSpec | undefined => {
    const known = made[row];
    const packed = data.packages[row];
    if (known !== undefined || packed === undefined) return known;
    const [hash, name, version, arch, variants, traits, edges] = packed;
    const [platform = 0, os = 0, target = 0] = data.arches[arch] ?? [];
    const {
      namespace,
      compiler,
      flags = [],
      external,
      provided,
      format,
      original,
    } = data.traits[traits] ?? {
      format: 0,
    };
    const spec: ConcreteSpec = {
      name: string(name),
      version: string(version),
      namespace,
      hash: hash as DagHash,
      platform: string(platform),
      os: string(os),
      target: string(target),
      compiler: compiler && { name: compiler[0], version: compiler[1] },
      variants: variantSets[variants] ?? new Map(),
      flags: new Map(flags),
      external: external === undefined ? undefined : { path: external ?? undefined, modules: [] },
      packageHash: undefined,
      dependencies: edgesOf(edges),
      buildSpec: undefined,
      providedVirtuals: provided,
      annotations:
        original === undefined ? undefined : { originalSpecfileVersion: original, compiler: undefined },
      specfileVersion: format,
    };
    made[row] = spec;
    return spec;
  };
  return { at, get: (hash) => at(rows.get(hash) ?? -1) };
}
