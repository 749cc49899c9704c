/** Which package a file of an image belongs to. */
import { parentPath } from "../archive/names.ts";
import { briefSpec, type DagHash } from "../spec/concrete.ts";
import { imagePath } from "../view/fileTree.ts";
import type { LinkageInput, LinkagePackage } from "./types.ts";

/** What files that nobody claims belong to. */
export const baseOwner = "base";

/** Looks up owners; remembers folders. */
export class Owners {
  readonly #byPrefix = new Map<string, LinkagePackage>();
  readonly #byHash = new Map<DagHash, LinkagePackage>();
  readonly #byName = new Map<string, LinkagePackage>();
  readonly #byFolder = new Map<string, LinkagePackage | undefined>();
  readonly #ownerInBase: (path: string) => string | undefined;
  readonly #related = new Map<string, ReadonlySet<string>>();

  constructor(input: Pick<LinkageInput, "packages" | "ownerInBase">) {
    for (const one of input.packages) {
      this.#byPrefix.set(imagePath(one.prefix), one);
      this.#byHash.set(one.spec.hash, one);
      this.#byName.set(briefSpec(one.spec), one);
    }
    this.#ownerInBase = input.ownerInBase ?? (() => undefined);
  }

  /** The Spack package whose prefix a path lies in. */
  packageOf(path: string): LinkagePackage | undefined {
    const folder = parentPath(path);
    if (this.#byFolder.has(folder)) return this.#byFolder.get(folder);
    let found: LinkagePackage | undefined;
    for (let up = folder; up !== "" && found === undefined; up = parentPath(up))
      found = this.#byPrefix.get(up);
    this.#byFolder.set(folder, found);
    return found;
  }

  /** Name of the owner: `name@version/hash` of a Spack package, name of an OS package, or `base`. */
  ownerOf(path: string): string {
    const one = this.packageOf(path);
    return one === undefined ? (this.#ownerInBase(path) ?? baseOwner) : briefSpec(one.spec);
  }

  /** Whether the owner is a Spack package. */
  isSpack(owner: string): boolean {
    return this.#byName.has(owner);
  }

  /** The owner and those it depends on or that depend on it, directly or not, by name. */
  related(owner: string): ReadonlySet<string> {
    const known = this.#related.get(owner);
    if (known !== undefined) return known;
    const start = this.#byName.get(owner);
    const names = new Set([owner]);
    if (start !== undefined) {
      this.#reach(
        start,
        (one) => one.spec.dependencies.flatMap((edge) => this.#byHash.get(edge.hash) ?? []),
        names,
      );
      this.#reach(start, (one) => this.#dependents().get(one.spec.hash) ?? [], names);
    }
    this.#related.set(owner, names);
    return names;
  }

  #reach(
    start: LinkagePackage,
    next: (one: LinkagePackage) => readonly LinkagePackage[],
    names: Set<string>,
  ): void {
    const queue = new Set([start]);
    for (const one of queue) {
      names.add(briefSpec(one.spec));
      for (const other of next(one)) queue.add(other);
    }
  }

  #dependentMap: Map<DagHash, LinkagePackage[]> | undefined;

  #dependents(): Map<DagHash, LinkagePackage[]> {
    if (this.#dependentMap === undefined) {
      this.#dependentMap = new Map();
      for (const one of this.#byHash.values())
        for (const edge of one.spec.dependencies) {
          const list = this.#dependentMap.get(edge.hash);
          if (list === undefined) this.#dependentMap.set(edge.hash, [one]);
          else list.push(one);
        }
    }
    return this.#dependentMap;
  }
}
