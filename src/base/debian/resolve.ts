/**
 * Choosing packages: the ones asked for and what they depend on (Depends and Pre-Depends, never Recommends), without
 * conflicts, always the same choice for the same indexes.
 *
 * Of the alternatives of a dependency, one that is chosen already wins; then they are tried in order, a real package
 * before those that provide its name, and of several providers the one of higher priority, then by name. A choice that
 * turns out to be impossible is taken back.
 */
import { SpacktainersError } from "../../util/errors.ts";
import { compareDebianVersions, versionSatisfies } from "./debianVersion.ts";
import type { OfferedPackage, PackageIndex } from "./packagesIndex.ts";
import { type Alternatives, formatRelation, type PackageRelation, parseRelations } from "./relations.ts";

/** What to choose from and how. */
export interface ResolveOptions {
  /** Architecture of the system, such as `amd64`. */
  readonly architecture: string;
  /** Names preferred to the alternatives before them; default `usr-is-merged`, which is how we unpack. */
  readonly prefer?: readonly string[];
  /**
   * Names that count as installed when a package depends on them: tools of maintainer scripts, which are not run.
   * Default `dpkg`, `debconf`, `install-info`, `adduser`. Asked for by name they are installed like any other.
   */
  readonly assumed?: readonly string[];
  /** For error messages: `bookworm`. */
  readonly suite?: string;
}

/** A group of alternatives to satisfy, and who wants it. */
interface Need {
  readonly alternatives: Alternatives;
  readonly by: OfferedPackage | undefined;
}

interface Decision {
  /** Number of needs done, needs known and packages chosen when it was made. */
  readonly at: number;
  readonly needs: number;
  readonly chosen: number;
  readonly candidates: readonly OfferedPackage[];
  next: number;
}

/** Choices taken back before giving up: real archives need none or a few. */
const maxBacktracks = 20_000;

const maintainerTools = ["adduser", "debconf", "debconf-2.0", "dpkg", "install-info"];

const priorities = ["required", "important", "standard", "optional", "extra"];

/**
 * @param wanted names of packages (or names that packages provide), optionally `name=version`
 * @returns the packages, sorted by name
 * @throws SpacktainersError BASE_UNSATISFIABLE: a package that is not there, a dependency that cannot be satisfied, a conflict
 */
export function resolvePackages(
  index: PackageIndex,
  wanted: readonly string[],
  options: ResolveOptions,
): readonly OfferedPackage[] {
  const resolver = new Resolver(index, options);
  return [...resolver.solve(wanted.map((text) => parseWanted(text, index, options)))].sort((a, b) =>
    a.name < b.name ? -1 : a.name > b.name ? 1 : 0,
  );
}

function parseWanted(text: string, index: PackageIndex, options: ResolveOptions): Need {
  const [name = "", version, ...more] = text.split("=");
  const relation = parseRelations(name)?.[0];
  if (relation?.length !== 1 || version === "" || more.length > 0) {
    throw new SpacktainersError(
      "BASE_INVALID",
      `${JSON.stringify(text)} is not the name of a Debian package`,
      {
        hint: "write `name` or `name=version`",
      },
    );
  }
  const alternatives = relation.map(
    (one): PackageRelation => (version === undefined ? one : { ...one, version: { operator: "=", version } }),
  );
  if (index.named(name).length === 0 && index.providers(name).length === 0) {
    const near = nearestName(name, index);
    const where = options.suite === undefined ? "" : ` in ${options.suite}`;
    throw new SpacktainersError(
      "BASE_UNSATISFIABLE",
      `there is no package ${name}${where} for ${options.architecture}`,
      { hint: near === undefined ? "does it lie in another archive component?" : `did you mean ${near}?` },
    );
  }
  return { alternatives, by: undefined };
}

class Resolver {
  readonly #index: PackageIndex;
  readonly #options: ResolveOptions;
  readonly #prefer: ReadonlySet<string>;
  readonly #assumed: ReadonlySet<string>;
  /** In order of choice; the maps below follow it. */
  readonly #chosen: OfferedPackage[] = [];
  readonly #byName = new Map<string, OfferedPackage>();
  /** Why the first dead end was one: usually what a user has to know. */
  #problem: string | undefined;

  constructor(index: PackageIndex, options: ResolveOptions) {
    this.#index = index;
    this.#options = options;
    this.#prefer = new Set(options.prefer ?? ["usr-is-merged"]);
    this.#assumed = new Set(options.assumed ?? maintainerTools);
  }

  solve(wanted: readonly Need[]): readonly OfferedPackage[] {
    const needs: Need[] = [...wanted];
    const decisions: Decision[] = [];
    let backtracks = 0;
    for (let at = 0; at < needs.length; ) {
      const need = needs[at];
      if (need === undefined) break;
      if (this.#satisfied(need)) {
        at++;
        continue;
      }
      const candidates = this.#candidates(need);
      decisions.push({ at, needs: needs.length, chosen: this.#chosen.length, candidates, next: 0 });
      // Takes back decisions until one has a candidate left, and takes that.
      for (;;) {
        const decision = decisions.at(-1);
        if (decision === undefined || backtracks > maxBacktracks) throw this.#unsatisfiable();
        this.#undo(decision.chosen);
        needs.length = decision.needs;
        const candidate = decision.candidates[decision.next++];
        if (candidate === undefined) {
          decisions.pop();
          backtracks++;
          continue;
        }
        const added = this.#choose(candidate);
        if (added === undefined) {
          backtracks++;
          continue;
        }
        needs.push(...added);
        at = decision.at + 1;
        break;
      }
    }
    return this.#chosen;
  }

  #undo(length: number): void {
    for (const one of this.#chosen.splice(length)) this.#byName.delete(one.name);
  }

  /** Chooses a package and returns what it needs; undefined when its fields are malformed. */
  #choose(candidate: OfferedPackage): Need[] | undefined {
    const groups = [parseRelations(candidate.preDepends), parseRelations(candidate.depends)];
    const needs: Need[] = [];
    for (const group of groups) {
      if (group === undefined) {
        this.#problem ??= `the dependencies of ${title(candidate)} are malformed`;
        return undefined;
      }
      needs.push(...group.map((alternatives) => ({ alternatives, by: candidate })));
    }
    this.#chosen.push(candidate);
    this.#byName.set(candidate.name, candidate);
    return needs;
  }

  #satisfied({ alternatives, by }: Need): boolean {
    return alternatives.some((relation) => {
      if (by !== undefined && this.#assumed.has(relation.name)) return true;
      if (!this.#native(relation)) return false;
      const real = this.#byName.get(relation.name);
      if (real !== undefined && holds(real.version, relation)) return true;
      return this.#index
        .providers(relation.name)
        .some(
          (provider) =>
            this.#byName.get(provider.package.name) === provider.package &&
            (relation.version === undefined ||
              (provider.version !== undefined && holds(provider.version, relation))),
        );
    });
  }

  /** Packages of our architecture only: one system has one architecture here. */
  #native(relation: PackageRelation): boolean {
    const qualifier = relation.qualifier;
    return (
      qualifier === undefined ||
      qualifier === "any" ||
      qualifier === "native" ||
      qualifier === this.#options.architecture
    );
  }

  /** Packages that satisfy a need and go with those chosen, best first. */
  #candidates(need: Need): OfferedPackage[] {
    const ordered = [
      ...need.alternatives.filter(({ name }) => this.#prefer.has(name)),
      ...need.alternatives.filter(({ name }) => !this.#prefer.has(name)),
    ];
    const found: OfferedPackage[] = [];
    let reason: string | undefined;
    for (const relation of ordered) {
      if (!this.#native(relation)) continue;
      const real = this.#best(this.#index.named(relation.name).filter((one) => holds(one.version, relation)));
      const providers = this.#index
        .providers(relation.name)
        .filter(
          ({ version }) =>
            relation.version === undefined || (version !== undefined && holds(version, relation)),
        )
        .map((provider) => provider.package)
        // Only what would be chosen by its own name too: the newest.
        .filter((one) => this.#best(this.#index.named(one.name)) === one)
        .sort(byPriority);
      for (const one of real === undefined ? providers : [real, ...providers]) {
        const conflict = this.#conflict(one);
        if (conflict === undefined) found.push(one);
        else reason ??= conflict;
      }
    }
    if (found.length === 0) this.#problem ??= this.#explain(need, reason);
    return found;
  }

  /** The newest; of equals the one of the first index. */
  #best(packages: readonly OfferedPackage[]): OfferedPackage | undefined {
    let best: OfferedPackage | undefined;
    for (const one of packages) {
      if (one.architecture !== "all" && one.architecture !== this.#options.architecture) continue;
      if (best === undefined || compareDebianVersions(one.version, best.version) > 0) best = one;
    }
    return best;
  }

  /** Why a package does not go with those chosen; undefined when it does. */
  #conflict(candidate: OfferedPackage): string | undefined {
    const other = this.#byName.get(candidate.name);
    if (other !== undefined) return `${title(other)} is chosen already`;
    for (const one of this.#chosen) {
      for (const [a, b] of [
        [candidate, one],
        [one, candidate],
      ] as const) {
        for (const [field, verb] of [
          [a.conflicts, "conflicts with"],
          [a.breaks, "breaks"],
        ] as const) {
          if (field === "") continue;
          const hit = parseRelations(field)?.find(
            ([relation]) => relation !== undefined && this.#hits(relation, b),
          );
          if (hit?.[0] !== undefined)
            return `${title(a)} ${verb} ${formatRelation(hit[0])}, which is ${title(b)}`;
        }
      }
    }
    return undefined;
  }

  /** Whether a relation of Conflicts or Breaks is about this package, by its name or one that it provides. */
  #hits(relation: PackageRelation, target: OfferedPackage): boolean {
    if (!this.#native(relation)) return false;
    if (relation.name === target.name) return holds(target.version, relation);
    if (target.provides === "") return false;
    return (parseRelations(target.provides) ?? []).some(
      ([provided]) =>
        provided?.name === relation.name &&
        (relation.version === undefined ||
          (provided.version !== undefined && holds(provided.version.version, relation))),
    );
  }

  #explain(need: Need, reason: string | undefined): string {
    const what = need.alternatives.map(formatRelation).join(" | ");
    const subject = need.by === undefined ? `${what} cannot be installed` : `${title(need.by)} needs ${what}`;
    if (reason !== undefined) return `${subject}, but ${reason}`;
    const offered = need.alternatives.flatMap(({ name }) => this.#index.named(name)).map(title);
    if (offered.length === 0) return `${subject}, which no package is or provides`;
    return `${subject}, but there is only ${[...new Set(offered)].sort().slice(0, 5).join(", ")}`;
  }

  #unsatisfiable(): SpacktainersError {
    const where = this.#options.suite === undefined ? "" : ` of ${this.#options.suite}`;
    return new SpacktainersError(
      "BASE_UNSATISFIABLE",
      `the packages${where} do not fit together: ${this.#problem ?? "too many possibilities"}`,
      { hint: "leave out one of the packages, or name the alternative wanted" },
    );
  }
}

function holds(version: string, relation: PackageRelation): boolean {
  return (
    relation.version === undefined ||
    versionSatisfies(version, relation.version.operator, relation.version.version)
  );
}

function byPriority(a: OfferedPackage, b: OfferedPackage): number {
  const rank = (one: OfferedPackage): number => {
    const at = priorities.indexOf(one.priority);
    return at < 0 ? priorities.length : at;
  };
  return rank(a) - rank(b) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

function title(one: OfferedPackage): string {
  return `${one.name} ${one.version}`;
}

/** The name on offer at the smallest edit distance, if that is at most 2. */
function nearestName(name: string, index: PackageIndex): string | undefined {
  let best: string | undefined;
  let least = 3;
  for (const other of index.names()) {
    if (Math.abs(other.length - name.length) > 2) continue;
    const distance = editDistance(name, other, least + 1);
    if (distance < least || (distance === least && best !== undefined && other < best)) {
      best = other;
      least = distance;
    }
  }
  return best;
}

/** Levenshtein distance, or `limit` when it is not less. */
function editDistance(a: string, b: string, limit: number): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    if (Math.min(...next) >= limit) return limit;
    row = next;
  }
  return row[b.length] ?? limit;
}
