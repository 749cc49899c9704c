/**
 * Choosing packages: the ones asked for and what they depend on (Depends and Pre-Depends, never Recommends), without
 * conflicts, always the same choice for the same indexes.
 *
 * Among the alternatives of a dependency, one that is already chosen wins; then they are tried in order, a real package
 * before those that provide its name, and of several providers the one of higher priority, then by name. A choice that
 * turns out to be impossible is taken back.
 */
import { nearestNames } from "../../definitions/nearest.ts";
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
export function resolveDebs(
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
    const [near] = nearestNames(name, index.names(), 1);
    const where = options.suite === undefined ? "" : ` in ${options.suite}`;
    throw new SpacktainersError(
      "BASE_UNSATISFIABLE",
      `there is no package ${name}${where} for ${options.architecture}`,
      { hint: near === undefined ? "is it in another archive component?" : `did you mean ${near}?` },
    );
  }
  return { alternatives, by: undefined };
}

/** A relation against other packages, of a chosen one. */
interface Objection {
  readonly by: OfferedPackage;
  readonly verb: "breaks" | "conflicts with";
  readonly relation: PackageRelation;
}

/** A name that a chosen package has, and the version under this name. */
interface Bearer {
  readonly by: OfferedPackage;
  readonly version: string | undefined;
}

/** Why nothing satisfies a need now: the chosen packages in the way, and the first of the conflicts. */
interface DeadEnd {
  readonly culprits: readonly OfferedPackage[];
  readonly reason: string | undefined;
}

class Resolver {
  readonly #index: PackageIndex;
  readonly #options: ResolveOptions;
  readonly #prefer: ReadonlySet<string>;
  readonly #assumed: ReadonlySet<string>;
  /** In order of choice; the maps below follow it. */
  readonly #chosen: OfferedPackage[] = [];
  /** Position in `chosen`. */
  readonly #positions = new Map<OfferedPackage, number>();
  readonly #bearers = new Map<string, Bearer[]>();
  readonly #objections = new Map<string, Objection[]>();
  readonly #facts = new Map<OfferedPackage, { bears: [string, Bearer][]; objects: [string, Objection][] }>();
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
      const { candidates, deadEnd } = this.#candidates(need);
      if (deadEnd === undefined)
        decisions.push({ at, needs: needs.length, chosen: this.#chosen.length, candidates, next: 0 });
      else {
        this.#problem ??= this.#explain(need, deadEnd.reason);
        // What was chosen after all that is in the way cannot help: back to the last of these.
        const culprits = need.by === undefined ? deadEnd.culprits : [need.by, ...deadEnd.culprits];
        const last = Math.max(-1, ...culprits.map((one) => this.#positions.get(one) ?? -1));
        while ((decisions.at(-1)?.chosen ?? -1) > last) decisions.pop();
      }
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
    while (this.#chosen.length > length) {
      const one = this.#chosen.pop();
      if (one === undefined) return;
      this.#positions.delete(one);
      const { bears, objects } = this.#factsOf(one);
      for (const [name] of bears) this.#bearers.get(name)?.pop();
      for (const [name] of objects) this.#objections.get(name)?.pop();
    }
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
    this.#positions.set(candidate, this.#chosen.length);
    this.#chosen.push(candidate);
    const { bears, objects } = this.#factsOf(candidate);
    for (const [name, bearer] of bears) push(this.#bearers, name, bearer);
    for (const [name, objection] of objects) push(this.#objections, name, objection);
    return needs;
  }

  /** The names a package has (its own first) and what it objects to. */
  #factsOf(one: OfferedPackage): { bears: [string, Bearer][]; objects: [string, Objection][] } {
    const known = this.#facts.get(one);
    if (known !== undefined) return known;
    const bears: [string, Bearer][] = [[one.name, { by: one, version: one.version }]];
    for (const [relation] of parseRelations(one.provides) ?? []) {
      if (relation === undefined) continue;
      const { name, version } = relation;
      bears.push([name, { by: one, version: version?.operator === "=" ? version.version : undefined }]);
    }
    const objects: [string, Objection][] = [];
    for (const [field, verb] of [
      [one.conflicts, "conflicts with"],
      [one.breaks, "breaks"],
    ] as const) {
      for (const [relation] of parseRelations(field) ?? []) {
        if (relation !== undefined && this.#native(relation))
          objects.push([relation.name, { by: one, verb, relation }]);
      }
    }
    const facts = { bears, objects };
    this.#facts.set(one, facts);
    return facts;
  }

  #satisfied({ alternatives, by }: Need): boolean {
    return alternatives.some((relation) => {
      if (by !== undefined && this.#assumed.has(relation.name)) return true;
      if (!this.#native(relation)) return false;
      return (this.#bearers.get(relation.name) ?? []).some((bearer) => holds(bearer.version, relation));
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
  #candidates(need: Need): { candidates: OfferedPackage[]; deadEnd?: DeadEnd } {
    const ordered = [
      ...need.alternatives.filter(({ name }) => this.#prefer.has(name)),
      ...need.alternatives.filter(({ name }) => !this.#prefer.has(name)),
    ];
    const candidates: OfferedPackage[] = [];
    const culprits: OfferedPackage[] = [];
    let reason: string | undefined;
    for (const relation of ordered) {
      if (!this.#native(relation)) continue;
      const real = this.#best(this.#index.named(relation.name).filter((one) => holds(one.version, relation)));
      const providers = this.#index
        .providers(relation.name)
        .filter(({ version }) => holds(version, relation))
        .map((provider) => provider.package)
        // Only what would be chosen by its own name too: the newest.
        .filter((one) => this.#best(this.#index.named(one.name)) === one)
        .sort(byPriority);
      for (const one of real === undefined ? providers : [real, ...providers]) {
        const conflict = this.#conflict(one);
        if (conflict === undefined) candidates.push(one);
        else {
          culprits.push(conflict.with);
          reason ??= conflict.reason;
        }
      }
    }
    return candidates.length > 0 ? { candidates } : { candidates, deadEnd: { culprits, reason } };
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
  #conflict(candidate: OfferedPackage): { with: OfferedPackage; reason: string } | undefined {
    const { bears, objects } = this.#factsOf(candidate);
    for (const { by } of this.#bearers.get(candidate.name) ?? [])
      if (by.name === candidate.name) return { with: by, reason: `${title(by)} is chosen already` };
    for (const [name, { version }] of bears) {
      for (const { by, verb, relation } of this.#objections.get(name) ?? [])
        if (holds(version, relation))
          return {
            with: by,
            reason: `${title(by)} ${verb} ${formatRelation(relation)}, which is ${title(candidate)}`,
          };
    }
    for (const [name, { verb, relation }] of objects) {
      for (const { by, version } of this.#bearers.get(name) ?? [])
        if (holds(version, relation))
          return {
            with: by,
            reason: `${title(candidate)} ${verb} ${formatRelation(relation)}, which is ${title(by)}`,
          };
    }
    return undefined;
  }

  #explain(need: Need, reason: string | undefined): string {
    const what = need.alternatives.map(formatRelation).join(" | ");
    const subject = need.by === undefined ? `${what} cannot be installed` : `${title(need.by)} needs ${what}`;
    if (reason !== undefined) return `${subject}, but ${reason}`;
    const offered = need.alternatives.flatMap(({ name }) => this.#index.named(name)).map(title);
    if (offered.length === 0) return `${subject}, but no package has or provides it`;
    return `${subject}, but there is only ${[...new Set(offered)].sort().slice(0, 5).join(", ")}`;
  }

  #unsatisfiable(): SpacktainersError {
    const where = this.#options.suite === undefined ? "" : ` of ${this.#options.suite}`;
    return new SpacktainersError(
      "BASE_UNSATISFIABLE",
      `the packages${where} do not fit together: ${this.#problem ?? "too many possibilities"}`,
      { hint: "leave out one of the packages, or name the alternative that you want" },
    );
  }
}

/** Whether a name with this version (none: a name provided without one) is what a relation is about. */
function holds(version: string | undefined, relation: PackageRelation): boolean {
  if (relation.version === undefined) return true;
  return (
    version !== undefined && versionSatisfies(version, relation.version.operator, relation.version.version)
  );
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
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
