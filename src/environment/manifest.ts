/** `spack.yaml`: from text to an environment, or every problem in it. */
import {
  parsePositionedYaml,
  type YamlEntry,
  type YamlMap,
  type YamlNode,
} from "../definitions/positionedYaml.ts";
import { inOrderOfPlace, type ProblemList, problemList } from "../definitions/problems.ts";
import type { Dialect } from "../spec/abstract.ts";
import type { Toolchain } from "../spec/parse.ts";
import { reportContradictions } from "./contradictions.ts";
import { manifestShapes } from "./manifestShapes.ts";
import { mergeYaml } from "./mergeYaml.ts";
import { noSettings, readPackages } from "./packages.ts";
import {
  defaultConcretizer,
  defaultConfig,
  readConcretizer,
  readConfig,
  readEnvironmentVariables,
  readIncludes,
  readMirrors,
  readViews,
} from "./sections.ts";
import { checkShape } from "./shape.ts";
import { readDefinitions, readSpecs } from "./specList.ts";
import type { SpecReader } from "./specReader.ts";
import type { Environment, ManifestReading } from "./types.ts";
import type { WhenContext } from "./whenExpression.ts";
import { expectMap, expectText, type KeyHandlers, plainKey, readKeys } from "./yamlReader.ts";

/** How a manifest is read. */
export interface ManifestOptions {
  /**
   * Generation of the spec language. Left out: 1.x if every spec is valid in it, else 0.x if every spec is valid in
   * that, else the one with fewer errors.
   */
  readonly dialect?: Dialect;
  /** Configuration files that the manifest includes, the most important first; the manifest comes before them all. */
  readonly included?: readonly { readonly file: string; readonly text: string }[];
  /** For `when:` of definitions. */
  readonly platform?: { readonly target?: string; readonly os?: string };
}

/** Sections of a manifest that say nothing about which packages an image has. */
const tolerated = {
  include_concrete: undefined,
  modules: undefined,
  repos: undefined,
  develop: undefined,
  compilers: undefined,
  bootstrap: undefined,
  upstreams: undefined,
  ci: undefined,
  "gitlab-ci": undefined,
  cdash: undefined,
  container: undefined,
} as const;

/**
 * Reads a manifest. Collects every problem: YAML, unknown keys (with the nearest known), wrong types, spec syntax
 * (at the character), and specs that contradict the manifest's own `packages:`.
 *
 * @param file name for places
 */
export function readManifest(text: string, file: string, options: ManifestOptions = {}): ManifestReading {
  const { root, problems } = parsePositionedYaml(text, file, "MANIFEST_INVALID");
  if (root === undefined) return { environment: undefined, ...ordered(problems) };
  const top = sectionsOf(root, problems);
  if (top === undefined) return { environment: undefined, ...ordered(problems) };
  let sections = top;
  for (const include of options.included ?? []) {
    const lower = parsePositionedYaml(include.text, include.file, "MANIFEST_INVALID");
    problems.add(lower.problems);
    if (lower.root?.kind === "map") sections = mergeYaml(sections, includedSections(lower.root));
  }
  const read = (dialect: Dialect) => {
    const list = problemList();
    const environment = readSections(sections, file, dialect, list, options);
    return { environment, list };
  };
  let chosen = read(options.dialect ?? "1.x");
  if (options.dialect === undefined && chosen.list.errors.length > 0) {
    const other = read("0.x");
    if (other.list.errors.length < chosen.list.errors.length) chosen = other;
  }
  problems.add(chosen.list);
  const usable = problems.errors.length === 0 ? chosen.environment : undefined;
  return { environment: usable, ...ordered(problems) };
}

function ordered(problems: ProblemList) {
  return { errors: inOrderOfPlace(problems.errors), warnings: inOrderOfPlace(problems.warnings) };
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
        : "`env:` was the name of old: write `spack:`",
      old?.keyPlace ?? first?.keyPlace ?? root.place,
    );
    return undefined;
  }
  readKeys({ problems }, map, "a manifest (everything belongs under `spack`)", { spack: open });
  return sections;
}

/** Included files have the sections at the top; those that are manifests themselves, under `spack`, without specs. */
function includedSections(root: YamlMap): YamlMap {
  const spack = root.entries.find(({ key }) => plainKey(key) === "spack")?.value;
  const map = spack?.kind === "map" ? spack : root;
  return { ...map, entries: map.entries.filter(({ key }) => plainKey(key) !== "specs") };
}

function readSections(
  sections: YamlMap,
  file: string,
  dialect: Dialect,
  problems: ProblemList,
  options: ManifestOptions,
): Environment {
  const find = (name: string): YamlEntry | undefined =>
    sections.entries.find(({ key }) => plainKey(key) === name);
  const reader: SpecReader = {
    problems,
    dialect,
    toolchains: readToolchains({ problems }, find("toolchains")?.value),
  };
  const context: WhenContext = {
    platform: "linux",
    os: options.platform?.os,
    target: options.platform?.target,
  };
  // Definitions come first: `specs` refers to them wherever it stands.
  const definitionsNode = find("definitions")?.value;
  const definitions =
    definitionsNode === undefined ? new Map() : readDefinitions(reader, definitionsNode, context);
  let specs: Environment["specs"] = [];
  let packages: ReturnType<typeof readPackages> = { all: noSettings("all"), packages: new Map() };
  let concretizer = defaultConcretizer;
  let views: Environment["views"] | undefined;
  let config = defaultConfig;
  let mirrors: Environment["mirrors"] = [];
  let environmentVariables: Environment["environmentVariables"] = [];
  let includes: Environment["includes"] = [];
  const handlers: KeyHandlers = {
    specs: (value) => {
      specs = readSpecs(reader, value, definitions);
    },
    definitions: () => {},
    toolchains: () => {},
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
    include: (value) => {
      includes = readIncludes(reader, value);
    },
    ...tolerated,
  };
  readKeys(reader, sections, "`spack`", withShapes(reader, handlers));
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
    includes,
  };
  reportContradictions(environment, problems);
  return environment;
}

/** Sections whose lists of specs have readers that know more than the schemas: groups, for one. */
const listsOfSpecs: readonly string[] = ["specs", "definitions"];

/** Holds a section in which its reader found nothing wrong against what Spack's schemas say. */
function withShapes(reader: SpecReader, handlers: KeyHandlers): KeyHandlers {
  const { problems } = reader;
  return Object.fromEntries(
    Object.entries(handlers).map(([name, read]) => [
      name,
      (value: YamlNode, entry: YamlEntry) => {
        const before = problems.errors.length;
        read?.(value, entry);
        const shape = listsOfSpecs.includes(name) ? undefined : manifestShapes[name];
        if (shape !== undefined && problems.errors.length === before)
          checkShape(reader, value, shape, `\`${name}\``);
      },
    ]),
  );
}

/** Reads `toolchains:` (1.x). */
function readToolchains(
  reader: { readonly problems: ProblemList },
  section: YamlNode | undefined,
): ReadonlyMap<string, Toolchain> {
  const toolchains = new Map<string, Toolchain>();
  if (section === undefined) return toolchains;
  for (const entry of expectMap(reader, section, "`toolchains`")?.entries ?? []) {
    const { value } = entry;
    if (value.kind === "scalar") {
      const text = expectText(reader, value, `the toolchain \`${entry.key}\``)?.text;
      if (text !== undefined) toolchains.set(plainKey(entry.key), text);
      continue;
    }
    if (value.kind !== "list") continue;
    const parts: { spec: string; when?: string }[] = [];
    for (const item of value.items) {
      const map = expectMap(reader, item, "a part of a toolchain");
      if (map === undefined) continue;
      let spec: string | undefined;
      let when: string | undefined;
      readKeys(reader, map, "a part of a toolchain", {
        spec: (node) => {
          spec = expectText(reader, node, "`spec`")?.text;
        },
        when: (node) => {
          when = expectText(reader, node, "`when`")?.text;
        },
      });
      if (spec !== undefined) parts.push(when === undefined ? { spec } : { spec, when });
    }
    toolchains.set(plainKey(entry.key), parts);
  }
  return toolchains;
}
