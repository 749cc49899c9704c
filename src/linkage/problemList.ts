/** Gathers problems: one for each thing that is missing to an owner, however many files miss it. */
import type { Owners } from "./owners.ts";
import type { LinkageProblem } from "./types.ts";

/** What one file misses. */
export interface LinkageFinding extends Omit<LinkageProblem, "owner" | "files"> {
  /** Path in inventory form. */
  readonly file: string;
}

export class LinkageProblems {
  readonly #owners: Owners;
  readonly #problems = new Map<string, { finding: LinkageFinding; owner: string; files: Set<string> }>();

  constructor(owners: Owners) {
    this.#owners = owners;
  }

  add(finding: LinkageFinding): void {
    const owner = this.#owners.ownerOf(finding.file);
    const key = [finding.kind, finding.severity, owner, finding.missing, finding.library ?? ""].join("\0");
    const known = this.#problems.get(key);
    if (known === undefined)
      this.#problems.set(key, { finding, owner, files: new Set([`/${finding.file}`]) });
    else known.files.add(`/${finding.file}`);
  }

  /** The problems, sorted by owner, then by what is missing. */
  finish(): readonly LinkageProblem[] {
    const order = (problem: LinkageProblem): string =>
      [problem.owner, problem.missing, problem.kind, problem.library ?? "", problem.severity].join("\0");
    return [...this.#problems.values()]
      .map(({ finding: { file: _, ...finding }, owner, files }) => ({
        ...finding,
        owner,
        files: [...files].sort(),
      }))
      .sort((a, b) => (order(a) < order(b) ? -1 : 1));
  }
}
