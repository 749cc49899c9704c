/** A container's `spack.yaml` as real Spack gets it: with what it means, wherever it lies, and our own places beneath. */
import { dirname, join, resolve } from "node:path";
import { type Document, isMap, isScalar, isSeq, parse, parseDocument, type Scalar, YAMLMap } from "yaml";
import type { Requirement } from "../environment/types.ts";
import { isJsonObject, type Json, type JsonObject } from "../util/json.ts";

/** What a manifest is completed with. */
export interface EnvironmentAdditions {
  /** Path of the manifest, which its relative paths start from. */
  readonly file: string;
  /** Folder of the configuration scope that lies beneath everything the manifest says and includes. */
  readonly scope: string;
  /** Keys of `config:` that the manifest does not decide: where packages are built. */
  readonly config: JsonObject;
  /** Mirrors besides those of the manifest, by name. */
  readonly mirrors: JsonObject;
  /**
   * What the manifest and what it includes require of all packages. Written out, since a requirement written as text would
   * replace the scope's rather than add to it.
   */
  readonly requireAll: readonly Requirement[];
  /** Required of all packages, unless the manifest requires a target itself. */
  readonly target: string;
}

/**
 * The text of the environment. Everything of the manifest stays, but: there is no view (images have their own), relative paths
 * start from where the manifest lies, and packages are built where we say.
 *
 * @param text of a manifest in which no problem was found
 */
export function environmentText(text: string, additions: EnvironmentAdditions): string {
  const document = parseDocument(text, { keepSourceTokens: false });
  const spack = mapAt(document, document.contents as YAMLMap, "spack");
  set(document, spack, "view", false);
  const folder = dirname(resolve(additions.file));
  includes(document, spack, folder, additions.scope);
  absolutePaths(document, spack, folder);

  const config = mapAt(document, spack, "config");
  for (const [key, value] of Object.entries(additions.config)) set(document, config, key, value as Json);
  if (Object.keys(additions.mirrors).length > 0) {
    const mirrors = mapAt(document, spack, "mirrors");
    for (const [name, mirror] of Object.entries(additions.mirrors))
      set(document, mirrors, name, mirror as Json);
  }
  if (additions.requireAll.length > 0) {
    const all = mapAt(document, mapAt(document, spack, "packages"), "all");
    const own = additions.requireAll.map(requirementJson);
    const hasTarget = requiresTarget(additions.requireAll);
    remove(all, "require");
    set(document, all, "require:", hasTarget ? own : [...own, additions.target]);
  }
  return document.toString({ lineWidth: 0 });
}

/** Whether requirements of all packages name a target. */
export function requiresTarget(requireAll: readonly Requirement[]): boolean {
  return requireAll.some(({ options }) => options.some(({ spec }) => spec.arch?.target !== undefined));
}

/** Plain text where that says it all: in anything else, Spack 1.1 does not see the target that externals are to have. */
function requirementJson({ policy, options, when, message }: Requirement): Json {
  const texts = options.map(({ text }) => text);
  const [only] = texts;
  if (only !== undefined && texts.length === 1 && when === undefined && message === undefined) return only;
  return {
    ...(texts.length === 1 ? { spec: texts[0] ?? "" } : { [policy]: texts }),
    ...(when === undefined ? {} : { when: when.text }),
    ...(message === undefined ? {} : { message }),
  };
}

/** The name of a key without what says how it merges (`packages::`). */
function nameOf(key: unknown): string {
  return String(isScalar(key) ? key.value : key).replace(/[:+-]$/, "");
}

function find(map: YAMLMap, name: string): YAMLMap["items"][number] | undefined {
  return map.items.find(({ key }) => nameOf(key) === name);
}

function remove(map: YAMLMap, name: string): void {
  map.items = map.items.filter(({ key }) => nameOf(key) !== name);
}

function set(document: Document, map: YAMLMap, key: string, value: Json): void {
  remove(map, nameOf(key));
  map.items.push(document.createPair(key, value));
}

/** The mapping under a key, made if there is none. */
function mapAt(document: Document, map: YAMLMap, name: string): YAMLMap {
  const entry = find(map, name);
  if (isMap(entry?.value)) return entry.value;
  const made = new YAMLMap();
  // Spack's own writing of what is replaced altogether stays.
  const key = entry === undefined ? name : entry.key;
  map.items = map.items.filter((each) => each !== entry);
  map.items.push(document.createPair(key, undefined));
  const pair = map.items.at(-1);
  if (pair !== undefined) pair.value = made;
  return made;
}

/** Adds the scope as the last, which is the least important, and makes the others' paths absolute. */
function includes(document: Document, spack: YAMLMap, folder: string, scope: string): void {
  const entry = find(spack, "include");
  if (!isSeq(entry?.value)) {
    set(document, spack, "include", [scope]);
    return;
  }
  for (const item of entry.value.items) {
    if (isScalar(item)) absolute(item, folder);
    // What lies in a git repository has paths of its own.
    if (isMap(item) && find(item, "git") === undefined) absolute(find(item, "path")?.value, folder);
  }
  entry.value.items.push(document.createNode(scope));
}

/** Other sections with paths that start from the manifest. */
function absolutePaths(document: Document, spack: YAMLMap, folder: string): void {
  const concrete = find(spack, "include_concrete")?.value;
  if (isSeq(concrete)) for (const item of concrete.items) absolute(item, folder);
  const repos = find(spack, "repos")?.value;
  if (isSeq(repos)) for (const item of repos.items) absolute(item, folder);
  if (isMap(repos)) for (const { value } of repos.items) if (isScalar(value)) absolute(value, folder);
  const develop = find(spack, "develop")?.value;
  if (isMap(develop))
    for (const { key, value } of develop.items) {
      if (!isMap(value)) continue;
      const path = find(value, "path")?.value;
      if (path === undefined) set(document, value, "path", join(folder, nameOf(key)));
      else absolute(path, folder);
    }
}

/** Makes a relative path absolute; what begins with a variable, a home or a scheme is not relative. */
function absolute(node: unknown, folder: string): void {
  if (!isScalar(node) || typeof node.value !== "string") return;
  if (/^(?:[/$~]|[a-z][a-z0-9+.-]*:)/i.test(node.value) || node.value === "") return;
  (node as Scalar<string>).value = join(folder, node.value);
}

/** Files and folders of this machine that an environment's text made by {@link environmentText} reads. */
export function environmentPaths(text: string): readonly string[] {
  const document: unknown = parse(text);
  const section = isJsonObject(document) && isJsonObject(document.spack) ? document.spack : {};
  const paths: string[] = [];
  const take = (value: unknown): void => {
    if (typeof value === "string") {
      if (value.startsWith("/")) paths.push(value);
      else if (value.startsWith("file:")) paths.push(decodeURI(new URL(value).pathname));
    } else if (Array.isArray(value)) for (const item of value) take(item);
    else if (isJsonObject(value)) for (const item of Object.values(value)) take(item);
  };
  for (const [key, value] of Object.entries(section))
    if (/^(?:include|include_concrete|repos|develop|mirrors)[:+-]?$/.test(key)) take(value);
  return [...new Set(paths)];
}
