/** Scopes of configuration: a file with several sections, or a folder with a file for each. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  parsePositionedYaml,
  type YamlEntry,
  type YamlMap,
  type YamlNode,
  yamlLimits,
} from "../definitions/positionedYaml.ts";
import type { ProblemList } from "../definitions/problems.ts";
import { readTextFile } from "../definitions/repository.ts";
import type { Dialect } from "../spec/abstract.ts";
import { manifestShapes } from "./data/manifestShapes.ts";
import {
  expectMap,
  isNull,
  plainKey,
  replacesLower,
  reportRepeatedKeys,
  unknownKeyHint,
} from "./yamlReader.ts";

/** A scope. */
export interface Scope {
  /** Absolute path of the file or folder. */
  readonly path: string;
  /** The sections, `include` left out. */
  readonly sections: YamlMap;
  /** The section `include`, where there is one. */
  readonly include: YamlEntry | undefined;
}

/** Sections that only a manifest has. */
const ofManifests: readonly string[] = ["specs", "include_concrete"];
/** Sections that a folder cannot have: Spack does not look for a file of this name. */
const notInFolders: readonly string[] = [...ofManifests, "container"];

/** Sections of an included file. What is included may include only in 1.x. */
function sectionsOf(dialect: Dialect, without: readonly string[]): readonly string[] {
  return Object.keys(manifestShapes[dialect]).filter(
    (name) => !without.includes(name) && (dialect === "1.x" || name !== "include"),
  );
}

/** True if `include::` says that nothing less important than this scope and what it includes counts. */
export function replacesIncludes({ include }: Scope): boolean {
  return include !== undefined && replacesLower(include.key);
}

/** A scope of sections. */
export function scopeOf(path: string, sections: YamlMap): Scope {
  const isInclude = ({ key }: YamlEntry) => plainKey(key) === "include";
  return {
    path,
    sections: { ...sections, entries: sections.entries.filter((entry) => !isInclude(entry)) },
    include: sections.entries.find(isInclude),
  };
}

/**
 * Reads an included file; undefined when it cannot be read as YAML, with problems.
 *
 * @throws errors of the system
 */
export async function readFileScope(
  path: string,
  dialect: Dialect,
  problems: ProblemList,
): Promise<Scope | undefined> {
  const root = await readYaml(path, problems);
  if (root === undefined) return undefined;
  const map = isNull(root) ? emptyMap(root) : expectMap({ problems }, root, "an included file");
  if (map === undefined) return undefined;
  return scopeOf(path, knownSections(map, dialect, sectionsOf(dialect, ofManifests), problems));
}

/**
 * Reads an included folder: a file called like a section has that section; other files, and folders inside, are not read.
 *
 * @throws errors of the system
 */
export async function readFolderScope(path: string, dialect: Dialect, problems: ProblemList): Promise<Scope> {
  const names = new Set(await readdir(path));
  const entries: YamlEntry[] = [];
  for (const section of sectionsOf(dialect, notInFolders)) {
    if (!names.has(`${section}.yaml`)) continue;
    const root = await readYaml(join(path, `${section}.yaml`), problems);
    if (root === undefined || isNull(root)) continue;
    const map = expectMap({ problems }, root, `\`${section}.yaml\``);
    if (map !== undefined) entries.push(...knownSections(map, dialect, [section], problems).entries);
  }
  return scopeOf(path, { kind: "map", entries, place: { file: path } });
}

async function readYaml(path: string, problems: ProblemList): Promise<YamlNode | undefined> {
  const read = parsePositionedYaml(await readTextFile(path, yamlLimits.bytes), path, "MANIFEST_INVALID");
  problems.add(read.problems);
  if (read.root !== undefined) reportRepeatedKeys({ problems }, read.root);
  return read.root;
}

function emptyMap({ place }: YamlNode): YamlMap {
  return { kind: "map", entries: [], place };
}

function knownSections(
  map: YamlMap,
  dialect: Dialect,
  known: readonly string[],
  problems: ProblemList,
): YamlMap {
  const entries = map.entries.filter(({ key, keyPlace }) => {
    const name = plainKey(key);
    if (known.includes(name)) return true;
    const [only] = known.length === 1 ? known : [];
    problems.error(
      "MANIFEST_INVALID",
      only === undefined
        ? `\`${key}\` cannot stand in an included file`
        : `\`${key}\` cannot stand in \`${only}.yaml\``,
      keyPlace,
      hintFor(name, dialect, known, only),
    );
    return false;
  });
  return { ...map, entries };
}

function hintFor(
  name: string,
  dialect: Dialect,
  known: readonly string[],
  only: string | undefined,
): string | undefined {
  if (only !== undefined) return `the file has the section \`${only}\`, with its name as the only key`;
  if (name === "spack" || name === "env")
    return "a manifest cannot be included, only files with its sections";
  if (name === "include" && dialect === "0.x")
    return "what is included cannot include: Spack 1.0 and newer can";
  if (ofManifests.includes(name)) return "it belongs in the manifest";
  return unknownKeyHint(name, known);
}
