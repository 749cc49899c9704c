/** Following includes: from the scope of a manifest to all scopes that count, the most important first. */
import { stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { ProblemList } from "../definitions/problems.ts";
import { asSpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";
import { conditionHolds } from "./definitions.ts";
import { type Include, readIncludes } from "./includes.ts";
import type { Machine } from "./machine.ts";
import { expandPath } from "./pathVariables.ts";
import { readFileScope, readFolderScope, replacesIncludes, type Scope } from "./scopes.ts";

/** Most configuration files and folders that one manifest may include. */
const mostIncludes = 100;
/** What is needed to follow includes. */
export interface IncludeReader {
  readonly problems: ProblemList;
  readonly machine: Machine;
}

/** A scope with what it includes, in the order of the file. */
interface ScopeTree {
  readonly scope: Scope;
  readonly included: readonly ScopeTree[];
}

/**
 * The manifest's scope and all that it includes, directly or through others. Each comes before what it includes, and what is
 * included first before the rest. Problems are reported with the place of the include.
 */
export async function collectScopes(reader: IncludeReader, manifest: Scope): Promise<readonly Scope[]> {
  const count = { left: mostIncludes };
  const tree = await treeOf(reader, manifest, new Set([manifest.path]), count);
  const all = flat(tree);
  // `include::` of the most important scope that has one: what is less important counts only if it is included there.
  const replacing = all.findIndex(({ scope }) => replacesIncludes(scope));
  const found = all[replacing];
  const kept = found === undefined ? all : [...all.slice(0, replacing), ...flat(found)];
  return kept.map(({ scope }) => scope);
}

function flat(tree: ScopeTree): readonly ScopeTree[] {
  return [tree, ...tree.included.flatMap(flat)];
}

async function treeOf(
  reader: IncludeReader,
  scope: Scope,
  above: ReadonlySet<string>,
  count: { left: number },
): Promise<ScopeTree> {
  if (scope.include === undefined) return { scope, included: [] };
  const { problems, machine } = reader;
  const found: Named[] = [];
  for (const include of readIncludes(reader, scope.include, machine.dialect)) {
    if (include.when !== undefined && !conditionHolds(reader, include.when, machine)) continue;
    if (count.left-- <= 0) {
      problems.error("MANIFEST_INVALID", `more than ${mostIncludes} files are included`, include.place);
      break;
    }
    const included = await readInclude(reader, scope, include);
    if (included === undefined) continue;
    if (above.has(included.scope.path))
      problems.error(
        "MANIFEST_INVALID",
        `\`${include.path}\` includes this file too: the includes form a circle`,
        include.place,
      );
    else found.push({ ...included, include });
  }
  const distinct = machine.dialect === "0.x" ? lastPlaces(found, problems) : firstPlaces(found, problems);
  const included: ScopeTree[] = [];
  for (const each of distinct) {
    included.push(await treeOf(reader, each.scope, new Set([...above, each.scope.path]), count));
  }
  return { scope, included };
}

interface Named {
  readonly name: string;
  readonly scope: Scope;
  readonly include: Include;
}

/** 1.x leaves out scopes whose name was there before. */
function firstPlaces(found: readonly Named[], problems: ProblemList): readonly Named[] {
  const names = new Map<string, Named>();
  for (const each of found) {
    const before = names.get(each.name);
    if (before === undefined) names.set(each.name, each);
    else
      problems.warning(
        "MANIFEST_INVALID",
        before.scope.path === each.scope.path
          ? `\`${each.include.path}\` is included twice: the second time has no effect`
          : `\`${each.include.path}\` has no effect: another include has the name \`${each.name}\``,
        each.include.place,
      );
  }
  return [...names.values()];
}

/** In 0.x the more important of two scopes with one name takes the place of the less important. */
function lastPlaces(found: readonly Named[], problems: ProblemList): readonly Named[] {
  const names = new Map<string, Named>();
  for (const each of found.toReversed()) {
    const before = names.get(each.name);
    if (before !== undefined && before.scope.path !== each.scope.path)
      problems.warning(
        "MANIFEST_INVALID",
        `\`${before.include.path}\` has no effect: Spack 0.x keeps one folder called \`${basename(each.scope.path)}\``,
        before.include.place,
      );
    names.set(each.name, each);
  }
  return [...names.values()].reverse();
}

/** The scope that an include names; undefined, with or without a problem, when there is none. */
async function readInclude(
  reader: IncludeReader,
  parent: Scope,
  include: Include,
): Promise<{ readonly name: string; readonly scope: Scope } | undefined> {
  const { problems, machine } = reader;
  const path = await localPath(reader, parent, include);
  if (path === undefined) return undefined;
  try {
    const isFolder = (await stat(path)).isDirectory();
    const scope = isFolder
      ? await readFolderScope(path, machine.dialect, problems)
      : await readFileScope(path, machine.dialect, problems);
    const name = isFolder && machine.dialect === "0.x" ? basename(path) : path;
    return scope === undefined ? undefined : { name: include.name ?? name, scope };
  } catch (thrown) {
    const error = asSpacktainersError(thrown);
    if (include.optional && error.code === "NOT_FOUND") return undefined;
    problems.error(
      "MANIFEST_INVALID",
      `\`${include.path}\` cannot be included: ${error.message}`,
      include.place,
    );
    return undefined;
  }
}

/** The absolute path of what is included; undefined, with a problem, for what is not on this machine. */
async function localPath(
  { problems, machine }: IncludeReader,
  parent: Scope,
  include: Include,
): Promise<string | undefined> {
  const leftOut = (reason: string, hint?: string) => {
    const message = `\`${redactUrl(include.path)}\` is not read: ${reason}`;
    if (include.optional) problems.warning("NOT_SUPPORTED", message, include.place, hint);
    else problems.error("NOT_SUPPORTED", message, include.place, hint);
    return undefined;
  };
  const copy = "put a copy of it next to the manifest, and include the copy";
  if (include.kind === "git") return leftOut("repositories are not asked here", copy);
  const { overrideVariable } = include;
  const override = overrideVariable === undefined ? undefined : machine.environment[overrideVariable];
  const written = override ?? include.path;
  const { path, unknown } = expandPath(written, machine);
  const [variable] = unknown;
  if (variable !== undefined) {
    const message = `\`${include.path}\` cannot be included: \`${variable}\` has no value here`;
    const hint = variable.replace(/[${}]/g, "").toLowerCase().startsWith("spack")
      ? "it is part of an installed Spack: set SPACK_ROOT to its folder"
      : "set `os` of the platform in spacktainers.yaml";
    if (include.optional) problems.warning("MANIFEST_INVALID", message, include.place, hint);
    else problems.error("MANIFEST_INVALID", message, include.place, hint);
    return undefined;
  }
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(path)?.[1]?.toLowerCase();
  if (scheme === "file")
    return fileURLToPath(new URL(`file:///${path.replace(/^file:(?:\/\/[^/]*)?\/*/i, "")}`));
  if (scheme === "http" || scheme === "https" || scheme === "ftp") {
    if (machine.dialect === "0.x" || include.sha256 !== undefined)
      return leftOut("no network is asked while a manifest is read", copy);
    problems.error(
      "MANIFEST_INVALID",
      `\`${redactUrl(include.path)}\` cannot be included: Spack wants its \`sha256\``,
      include.place,
      copy,
    );
    return undefined;
  }
  if (scheme !== undefined && (machine.dialect === "1.x" || spackSchemes.includes(scheme))) {
    problems.error(
      "MANIFEST_INVALID",
      `\`${redactUrl(include.path)}\` cannot be included: \`${scheme}:\` is not for files`,
      include.place,
    );
    return undefined;
  }
  if (path === "" && machine.dialect === "1.x") {
    problems.error("MANIFEST_INVALID", "this include has no path", include.place);
    return undefined;
  }
  const folder = await folderOf(parent);
  return resolve(folder, path);
}

/** Schemes of addresses that Spack 0.x knows; others are parts of a path to it. */
const spackSchemes: readonly string[] = ["s3", "gs", "ssh", "git"];

/** Where relative paths of a scope start from. */
async function folderOf({ path }: Scope): Promise<string> {
  try {
    return (await stat(path)).isDirectory() ? path : dirname(path);
  } catch {
    return dirname(path);
  }
}
