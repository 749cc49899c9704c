/** `update-alternatives`: several packages offer a file under one name, and links lead to the best. */
import type { ScriptCommand } from "./readScript.ts";

/** A link that an alternative stands for: `link` leads to `/etc/alternatives/NAME`, and that to `path`. */
export interface AlternativeLink {
  /** Absolute. */
  readonly link: string;
  readonly name: string;
  /** Absolute. */
  readonly path: string;
}

/** One choice for a name, with the links that go with it. */
export interface OfferedAlternative extends AlternativeLink {
  readonly priority: number;
  readonly slaves: readonly AlternativeLink[];
}

/** What a call of `update-alternatives` says. */
export type AlternativesCall =
  | { readonly kind: "install"; readonly alternative: OfferedAlternative }
  /** The choice, whatever the priorities are. */
  | { readonly kind: "set"; readonly name: string; readonly path: string }
  /** Nothing that matters on a fresh system. */
  | { readonly kind: "other" };

/**
 * Reads the arguments of a call.
 * @returns undefined when one that matters cannot be known, or is not as it must be
 */
export function readAlternativesCall([, ...words]: ScriptCommand): AlternativesCall | undefined {
  const slaves: AlternativeLink[] = [];
  let found: Omit<OfferedAlternative, "slaves"> | undefined;
  let call: AlternativesCall = { kind: "other" };
  for (let at = 0; at < words.length; at++) {
    const word = words[at];
    if (word === "--install") {
      const link = linkOf(words.slice(at + 1, at + 4));
      const priority = Number(words[at + 4] ?? "x");
      if (link === undefined || !Number.isInteger(priority)) return undefined;
      found = { ...link, priority };
      at += 4;
    } else if (word === "--slave") {
      const link = linkOf(words.slice(at + 1, at + 4));
      if (link === undefined) return undefined;
      slaves.push(link);
      at += 3;
    } else if (word === "--set") {
      const [name, path] = words.slice(at + 1);
      if (name === undefined || !isPath(path)) return undefined;
      call = { kind: "set", name, path };
      at += 2;
    } else if (word === undefined) return undefined;
  }
  return found === undefined ? call : { kind: "install", alternative: { ...found, slaves } };
}

function linkOf([link, name, path]: ScriptCommand): AlternativeLink | undefined {
  if (!isPath(link) || !isPath(path) || name === undefined || !/^[^/\s]+$/.test(name) || /^\.\.?$/.test(name))
    return undefined;
  return { link, name, path };
}

function isPath(path: string | undefined): path is string {
  return path?.startsWith("/") === true && !path.includes("\0") && !path.split("/").includes("..");
}

/**
 * The links of the best choice for each name: the one that was set, else that of the highest priority; of two the one whose
 * path comes first, as `update-alternatives` has it. Choices and links whose file is not there are left out.
 *
 * @param exists whether there is anything at an absolute path
 * @returns sorted by name of the choice, each before the links that go with it
 */
export function chosenLinks(
  calls: readonly AlternativesCall[],
  exists: (path: string) => boolean,
): readonly AlternativeLink[] {
  const groups = new Map<string, Map<string, OfferedAlternative>>();
  const set = new Map<string, string>();
  for (const call of calls) {
    if (call.kind === "set") set.set(call.name, call.path);
    if (call.kind !== "install" || !exists(call.alternative.path)) continue;
    const { name, path } = call.alternative;
    const group = groups.get(name) ?? new Map<string, OfferedAlternative>();
    groups.set(name, group.set(path, call.alternative));
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, group]) => {
      const wanted = group.get(set.get(name) ?? "");
      const [best] = [...group.values()].sort(
        (a, b) => b.priority - a.priority || (a.path < b.path ? -1 : 1),
      );
      const chosen = wanted ?? best;
      return chosen === undefined ? [] : [chosen, ...chosen.slaves.filter(({ path }) => exists(path))];
    });
}
