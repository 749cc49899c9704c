/** `spack.yaml`: from text to an environment, or every problem in it. */
import {
  parsePositionedYaml,
  type YamlEntry,
  type YamlMap,
  type YamlNode,
} from "../definitions/positionedYaml.ts";
import { inOrderOfPlace, type ProblemList, problemList } from "../definitions/problems.ts";
import type { Dialect } from "../spec/abstract.ts";
import { reportContradictions } from "./contradictions.ts";
import { manifestShapes } from "./data/manifestShapes.ts";
import { noDefinitions, readDefinitions } from "./definitions.ts";
import { readDevelop } from "./develop.ts";
import { type Machine, type MachinePlatform, thisMachine } from "./machine.ts";
import { mergeYaml } from "./mergeYaml.ts";
import { noSettings, readPackages, withVersionTexts } from "./packages.ts";
import { defaultInspections, inspectionDefaults, readPrefixInspections } from "./prefixInspections.ts";
import { type Scope, scopeOf } from "./scopes.ts";
import {
  defaultConcretizer,
  defaultConfig,
  readCompilers,
  readConcretizer,
  readConfig,
  readEnvironmentVariables,
  readMirrors,
  readViews,
} from "./sections.ts";
import { checkShape } from "./shape.ts";
import { readSpecs } from "./specList.ts";
import type { SpecReader } from "./specReader.ts";
import { readToolchains } from "./toolchains.ts";
import type { Environment, ManifestReading } from "./types.ts";
import { nameUnusedSettings } from "./unusedSettings.ts";
import { expectMap, plainKey, readKeys, reportRepeatedKeys, unknownKeyHint } from "./yamlReader.ts";

/** How a manifest is read. */
export interface ManifestOptions {
  /**
   * Generation of the spec language. Left out: 1.x if every spec is valid in it, else 0.x if every spec is valid in
   * that, else the one with fewer errors.
   */
  readonly dialect?: Dialect | undefined;
  /** What the container is made for: conditions and paths may ask. */
  readonly platform?: MachinePlatform;
  /** The machine that conditions and paths see; default: the one that this program runs on. */
  readonly machine?: (dialect: Dialect) => Machine;
}

/** One reading of a manifest in one generation of the language. */
export interface Reading {
  readonly environment: Environment;
  readonly list: ProblemList;
}

/**
 * Reads a manifest by itself; what it includes is not followed. Collects every problem: YAML, unknown keys (with the nearest
 * known), wrong types, spec syntax (at the character), and specs that contradict the manifest's own `packages:`.
 *
 * @param file name for places
 */
export function readManifest(text: string, file: string, options: ManifestOptions = {}): ManifestReading {
  const { manifest, problems } = parseManifest(text, file);
  if (manifest === undefined) return unusable(problems);
  const read = (dialect: Dialect): Reading => {
    const list = problemList();
    return { environment: readScopes([manifest], file, list, conditionMachine(options, dialect)), list };
  };
  let chosen = read(options.dialect ?? "1.x");
  if (options.dialect === undefined && chosen.list.errors.length > 0) chosen = better(chosen, read("0.x"));
  return finished(manifest, problems, chosen);
}

/** The machine that conditions see. */
export function conditionMachine({ machine, platform }: ManifestOptions, dialect: Dialect): Machine {
  return machine === undefined ? thisMachine(dialect, platform) : machine(dialect);
}

/** Reads in 1.x and in 0.x, and returns the reading with fewer errors. */
export function better(first: Reading, second: Reading): Reading {
  return second.list.errors.length < first.list.errors.length ? second : first;
}

/** The result of reading, problems in order. */
export function finished(
  manifest: Scope,
  problems: ProblemList,
  { environment, list }: Reading,
): ManifestReading {
  problems.add(list);
  const usable = problems.errors.length === 0 ? environment : undefined;
  return { environment: usable, includes: manifest.include !== undefined, ...ordered(problems) };
}

/** The result of reading what is no manifest. */
export function unusable(problems: ProblemList): ManifestReading {
  return { environment: undefined, includes: false, ...ordered(problems) };
}

function ordered(problems: ProblemList) {
  return { errors: inOrderOfPlace(problems.errors), warnings: inOrderOfPlace(problems.warnings) };
}

/** The manifest as a scope, or what is wrong with it as YAML. */
export function parseManifest(
  text: string,
  file: string,
): { readonly manifest: Scope | undefined; readonly problems: ProblemList } {
  const { root, problems } = parsePositionedYaml(text, file, "MANIFEST_INVALID");
  if (root !== undefined) reportRepeatedKeys({ problems }, root);
  const sections = root === undefined ? undefined : sectionsOf(root, problems);
  return { manifest: sections === undefined ? undefined : scopeOf(file, sections), problems };
}

/** What stands under the `spack` key. */
function sectionsOf(root: YamlNode, problems: ProblemList): YamlMap | undefined {
  const map = expectMap({ problems }, root, "a manifest");
  if (map === undefined) {
    if (problems.errors.length === 0)
      problems.error("MANIFEST_INVALID", "the manifest is empty", root.place, "it begins with `spack:`");
    return undefined;
  }
  let sections: YamlMap | undefined;
  const open = (value: YamlNode) => {
    sections = expectMap({ problems }, value, "`spack`") ?? { kind: "map", entries: [], place: value.place };
  };
  const first = map.entries[0];
  if (map.entries.length > 0 && !map.entries.some(({ key }) => plainKey(key) === "spack")) {
    const old = map.entries.find(({ key }) => key === "env");
    problems.error(
      "MANIFEST_INVALID",
      old === undefined
        ? "the manifest does not begin with `spack:`"
        : "`env:` is the old name: write `spack:`",
      old?.keyPlace ?? first?.keyPlace ?? root.place,
    );
    return undefined;
  }
  readKeys({ problems }, map, "a manifest (everything belongs under `spack`)", { spack: open });
  return sections;
}

/** Reads a section into the environment. */
type SectionReader = (value: YamlNode) => void;

/**
 * Reads an environment from its scopes.
 *
 * @param scopes the most important first: the manifest
 */
export function readScopes(
  scopes: readonly Scope[],
  file: string,
  problems: ProblemList,
  machine: Machine,
): Environment {
  const { dialect } = machine;
  const sections = scopes
    .map((scope) => withVersionTexts(scope.sections))
    .reduceRight((lower, higher) => mergeYaml(higher, lower), inspectionDefaults);
  const find = (name: string): YamlNode | undefined =>
    sections.entries.find(({ key }) => plainKey(key) === name)?.value;
  const reader: SpecReader = {
    problems,
    dialect,
    toolchains: dialect === "1.x" ? readToolchains({ problems }, find("toolchains")) : new Map(),
  };
  // Definitions come first: `specs` refers to them wherever it stands.
  const definitionsNode = find("definitions");
  const definitions =
    definitionsNode === undefined ? noDefinitions : readDefinitions(reader, definitionsNode, machine);
  let specs: Environment["specs"] = [];
  let packages: ReturnType<typeof readPackages> = { all: noSettings("all"), packages: new Map() };
  let concretizer = defaultConcretizer;
  let views: Environment["views"] | undefined;
  let config = defaultConfig;
  let mirrors: Environment["mirrors"] = [];
  let environmentVariables: Environment["environmentVariables"] = [];
  let prefixInspections: Environment["prefixInspections"] = defaultInspections;
  let develop: Environment["develop"] = new Map();
  let compilers: Environment["compilers"] = [];
  const readers: Readonly<Record<string, SectionReader>> = {
    specs: (value) => {
      specs = readSpecs(reader, value, definitions);
    },
    packages: (value) => {
      packages = readPackages(reader, value);
    },
    concretizer: (value) => {
      concretizer = readConcretizer(reader, value);
    },
    view: (value) => {
      views = readViews(reader, value);
    },
    config: (value) => {
      config = readConfig(reader, value);
    },
    mirrors: (value) => {
      mirrors = readMirrors(reader, value);
    },
    env_vars: (value) => {
      environmentVariables = readEnvironmentVariables(reader, value);
    },
    modules: (value) => {
      prefixInspections = readPrefixInspections(reader, value);
    },
    compilers: (value) => {
      compilers = readCompilers(reader, value);
    },
    develop: (value) => {
      develop = readDevelop(reader, value);
    },
  };
  readSections(reader, scopes, sections, readers);
  const environment: Environment = {
    file,
    dialect,
    specs,
    packages: packages.packages,
    all: packages.all,
    concretizer,
    views:
      views ??
      readViews(reader, { kind: "scalar", value: true, text: "true", quoted: false, place: {}, indent: 0 }),
    config,
    mirrors,
    environmentVariables,
    prefixInspections,
    compilers,
    develop,
    included: [],
  };
  nameUnusedSettings(reader, sections, environment);
  reportContradictions(environment, problems);
  return environment;
}

/** Sections whose lists of specs have readers that know more than the schemas: groups, for one. */
const listsOfSpecs: readonly string[] = ["specs", "definitions"];

/**
 * Reads every section that Spack of this generation knows, then holds what each scope says against Spack's schemas where its reader found nothing
 * wrong.
 */
function readSections(
  reader: SpecReader,
  scopes: readonly Scope[],
  sections: YamlMap,
  readers: Readonly<Record<string, SectionReader>>,
): void {
  const { problems, dialect } = reader;
  const shapes = manifestShapes[dialect];
  for (const entry of sections.entries) {
    const name = plainKey(entry.key);
    const shape = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
    if (shape === undefined) {
      refuse(reader, entry);
      continue;
    }
    const before = problems.errors.length;
    if (Object.hasOwn(readers, name)) readers[name]?.(entry.value);
    if (listsOfSpecs.includes(name)) continue;
    for (const scope of scopes) {
      if (problems.errors.length > before) break;
      const own = scope.sections.entries.find(({ key }) => plainKey(key) === name);
      if (own !== undefined) checkShape(reader, own.value, shape, `\`${name}\``);
    }
  }
}

/** Reports a section that Spack of this generation does not have. */
function refuse({ problems, dialect }: SpecReader, { key, keyPlace }: YamlEntry): void {
  const name = plainKey(key);
  const other: Dialect = dialect === "0.x" ? "1.x" : "0.x";
  const elsewhere = Object.hasOwn(manifestShapes[other], name);
  problems.error(
    "MANIFEST_INVALID",
    elsewhere ? `Spack ${dialect} has no section \`${name}\`` : `unknown key \`${key}\` in \`spack\``,
    keyPlace,
    elsewhere
      ? `the manifest is read as of Spack ${dialect}; \`spack: dialect: ${other}\` of spacktainers.yaml says otherwise`
      : unknownKeyHint(name, Object.keys(manifestShapes[dialect])),
  );
}
