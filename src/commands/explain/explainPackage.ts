/** Why one package is in a container, and why in this configuration. Pure. */
import type { CachedPackage } from "../../buildcache/types.ts";
import { type PathStep, pathsTo } from "../../catalogue/graph/dependencyGraph.ts";
import type { ChoiceContext } from "../../concretize/chooseFromCaches.ts";
import { type AlternativeVerdict, explainAlternatives } from "../../concretize/explainChoice.ts";
import type { Violation } from "../../concretize/requirementRules.ts";
import type { Resolution } from "../../concretize/types.ts";
import { verdictText } from "../../concretize/verdictText.ts";
import type { PackageListing } from "../../pipeline/describe/packageListing.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../../spec/concrete.ts";
import { formatConcrete } from "../../spec/format.ts";
import { formatPlace, type Place, type SpacktainersError } from "../../util/errors.ts";
import { causeText } from "./packageDifferences.ts";
import { firstDifference, inputKinds, type RootCause, specDifferences } from "./specDifferences.ts";

/** What the caches say about an environment now. */
export interface FreshChoice {
  readonly context: ChoiceContext;
  /** Undefined when there is no choice. */
  readonly resolution: Resolution | undefined;
  readonly problems: readonly SpacktainersError[];
}

/** What {@link explainPackage} works with. */
export interface ExplanationInput {
  readonly listing: PackageListing;
  /** Undefined when the caches could not be asked. */
  readonly fresh: FreshChoice | undefined;
  /** The image built before, if there is one. */
  readonly built: PackageListing | undefined;
  /** Where the caches have a package, or why it cannot be had from them. */
  readonly availability: ReadonlyMap<DagHash, CachedPackage | SpacktainersError>;
  /** How many cached configurations are looked into. */
  readonly limit: number;
}

/** A configuration that is not the one in the container, and the first input in which it differs. */
export interface OtherConfiguration {
  readonly hash: DagHash;
  readonly version: string;
  readonly difference: RootCause | undefined;
  readonly text: string;
}

/** A configuration that caches know. */
export interface ExplainedAlternative {
  readonly hash: DagHash;
  readonly version: string;
  readonly spec: string;
  readonly verdict: AlternativeVerdict["kind"];
  readonly criterion?: string;
  readonly text: string;
  /** Of the constraint that excludes it. */
  readonly place?: Place;
}

/** Everything there is to say about one package of a container. */
export interface PackageExplanation {
  readonly name: string;
  readonly version: string;
  readonly hash: DagHash;
  /** In Spack's words, without dependencies. */
  readonly spec: string;
  readonly role: "root" | "dependency" | "external" | "build";
  /** The user's specs that it satisfies. */
  readonly requests: readonly string[];
  /** Shortest path from each root. */
  readonly paths: readonly (readonly PathStep[])[];
  readonly size: number | undefined;
  /** The cache that has it. */
  readonly cache: string | undefined;
  /** Why the caches cannot provide it. */
  readonly missing: { readonly code: string; readonly message: string } | undefined;
  /** If it is not available: the most similar configuration in the caches. */
  readonly nearest: OtherConfiguration | undefined;
  /** The package that would be chosen now, if it differs. */
  readonly chosenNow: OtherConfiguration | undefined;
  /** The package that the last built image has, if it differs. */
  readonly inImage: OtherConfiguration | undefined;
  readonly alternatives: readonly ExplainedAlternative[];
  /** Variants whose defaults only recipes define, and in which other equally good configurations differ. */
  readonly undetermined: readonly string[];
}

/** Explains a package of a listing. */
export function explainPackage(spec: ConcreteSpec, facts: ExplanationInput): PackageExplanation {
  const { listing, fresh } = facts;
  const roots = listing.roots.map(({ hash }) => hash);
  const { paths, runtime } = pathsTo(listing.graph, roots, spec.hash);
  const requests = listing.roots.filter(({ hash }) => hash === spec.hash).map(({ request }) => request);
  const found = facts.availability.get(spec.hash);
  const cached = found !== undefined && "archiveUrl" in found ? found : undefined;
  const failure = found === undefined || "archiveUrl" in found ? undefined : found;
  const role =
    spec.external !== undefined
      ? "external"
      : requests.length > 0
        ? "root"
        : runtime
          ? "dependency"
          : "build";
  return {
    name: spec.name,
    version: spec.version,
    hash: spec.hash,
    spec: formatConcrete(spec),
    role,
    requests,
    paths,
    size: listing.sizes.get(spec.hash) ?? cached?.size,
    cache: cached?.cacheUrl,
    missing: failure === undefined ? undefined : { code: failure.code, message: failure.message },
    nearest:
      failure === undefined || fresh === undefined
        ? undefined
        : nearestCached(spec, listing.graph, fresh.context),
    chosenNow: otherThan(spec, listing.graph, {
      other: fresh?.resolution?.graph,
      roots: fresh?.resolution?.roots,
    }),
    inImage: otherThan(spec, listing.graph, {
      other: facts.built?.graph,
      roots: facts.built?.roots,
      backwards: true,
    }),
    alternatives:
      role === "build" || fresh === undefined ? [] : alternativesTo(spec.name, fresh, facts.limit),
    undetermined: undeterminedOf(spec, fresh),
  };
}

/**
 * The configurations of a package that the caches know, with what speaks against each.
 */
export function alternativesTo(
  name: string,
  { context, resolution }: FreshChoice,
  limit: number,
): readonly ExplainedAlternative[] {
  const chosen = resolution?.roots.map(({ hash }) => hash) ?? [];
  return explainAlternatives(context, chosen, name, limit).map(({ spec, verdict }) => {
    const place = placeOf(verdict);
    return {
      hash: spec.hash,
      version: spec.version,
      spec: formatConcrete(spec),
      verdict: verdict.kind,
      ...(verdict.kind === "worse" ? { criterion: verdict.criterion } : {}),
      text: verdictText(verdict, spec, placeText),
      ...(place === undefined ? {} : { place }),
    };
  });
}

function placeOf(verdict: AlternativeVerdict): Place | undefined {
  const violations =
    verdict.kind === "excluded"
      ? verdict.violations
      : verdict.kind === "unused"
        ? (verdict.needed?.violations ?? [])
        : [];
  return violations.find(({ place }) => place !== undefined)?.place;
}

/** ` (spack.yaml:7:3)`. */
function placeText({ place }: Violation): string {
  const text = place === undefined ? "" : formatPlace({ ...place, ...shortFile(place) });
  return text === "" ? "" : ` (${text})`;
}

/** The file's name without its folder: there is one definition, and everybody knows which. */
function shortFile({ file }: Place): Pick<Place, "file"> {
  return file === undefined ? {} : { file: file.slice(file.lastIndexOf("/") + 1) };
}

/** The graph that a package is compared with. */
interface OtherGraph {
  readonly other: SpecGraph | undefined;
  readonly roots: readonly { readonly hash: DagHash }[] | undefined;
  readonly backwards?: boolean | undefined;
}

/** The package of the same name that the roots of another graph reach, when it is another one. */
function otherThan(
  spec: ConcreteSpec,
  graph: SpecGraph,
  { other, roots, backwards = false }: OtherGraph,
): OtherConfiguration | undefined {
  if (other === undefined || roots === undefined) return undefined;
  const reached = new Set(roots.map(({ hash }) => hash));
  const same: ConcreteSpec[] = [];
  for (const hash of reached) {
    const node = other.get(hash);
    if (node === undefined) continue;
    if (hash === spec.hash) return undefined;
    if (node.name === spec.name) same.push(node);
    for (const edge of node.dependencies)
      if (edge.types.has("link") || edge.types.has("run")) reached.add(edge.hash);
  }
  const [first] = same.sort((a, b) => (a.hash < b.hash ? -1 : 1));
  if (first === undefined) return undefined;
  const [mine, theirs] = [
    { spec, graph },
    { spec: first, graph: other },
  ];
  const difference = backwards ? firstDifference(theirs, mine) : firstDifference(mine, theirs);
  return described(first, difference);
}

function described(spec: ConcreteSpec, difference: RootCause | undefined): OtherConfiguration {
  return {
    hash: spec.hash,
    version: spec.version,
    difference,
    text: difference === undefined ? "in nothing that is known" : causeText(difference),
  };
}

/** The downloadable configuration whose first difference comes last, and that has the fewest. */
function nearestCached(
  spec: ConcreteSpec,
  graph: SpecGraph,
  { source }: ChoiceContext,
): OtherConfiguration | undefined {
  const sourceGraph = { get: (hash: DagHash) => source.spec(hash) };
  const ranked = source
    .hashesOf(spec.name)
    .filter((hash) => hash !== spec.hash && source.has(hash))
    .flatMap((hash) => {
      const other = source.spec(hash);
      if (other === undefined) return [];
      const differences = specDifferences({ spec, graph }, { spec: other, graph: sourceGraph });
      const first = differences[0];
      return [
        {
          other,
          first: first === undefined ? -1 : inputKinds.indexOf(first.kind),
          count: differences.length,
        },
      ];
    })
    .sort((a, b) => b.first - a.first || a.count - b.count || (a.other.hash < b.other.hash ? -1 : 1));
  const [nearest] = ranked;
  if (nearest === undefined) return undefined;
  return described(
    nearest.other,
    firstDifference({ spec, graph }, { spec: nearest.other, graph: sourceGraph }),
  );
}

function undeterminedOf(spec: ConcreteSpec, fresh: FreshChoice | undefined): readonly string[] {
  const all = fresh?.resolution?.undetermined ?? [];
  return [
    ...new Set(all.filter(({ hash }) => hash === spec.hash).flatMap(({ variants }) => variants)),
  ].sort();
}
