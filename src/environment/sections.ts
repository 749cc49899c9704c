/** The small sections of a manifest: concretizer, view, config, mirrors, env_vars. */
import {
  type YamlEntry,
  type YamlMap,
  type YamlNode,
  type YamlScalar,
  yamlEntry,
} from "../definitions/positionedYaml.ts";
import { redactUrl } from "../util/redact.ts";
import { expectSpec, parsePlaced, readSpec, type SpecReader } from "./specReader.ts";
import type {
  ConcretizerSettings,
  ConfigSettings,
  EnvironmentVariableChange,
  MirrorSettings,
  PlacedSpec,
  Projection,
  ReuseFilter,
  ViewSettings,
} from "./types.ts";
import {
  expectBoolean,
  expectCount,
  expectList,
  expectMap,
  expectOneOf,
  expectText,
  expectTexts,
  lostNumber,
  plainKey,
  readKeys,
} from "./yamlReader.ts";

/** The default of `concretizer:`: one configuration of every package. */
export const defaultConcretizer: ConcretizerSettings = { unify: true, granularity: undefined, reuse: [] };

/** The default of `config:`. */
export const defaultConfig: ConfigSettings = {
  installTree: undefined,
  paddedLength: undefined,
  installHashLength: undefined,
  projections: [],
};

/** Reads `concretizer:`. */
export function readConcretizer(reader: SpecReader, section: YamlNode): ConcretizerSettings {
  let { unify, granularity, reuse } = defaultConcretizer;
  const map = expectMap(reader, section, "`concretizer`");
  if (map === undefined) return defaultConcretizer;
  readKeys(reader, map, "`concretizer`", {
    unify: (value) => {
      if (value.kind === "scalar" && value.text === "when_possible") unify = "when_possible";
      else if (value.kind === "scalar" && typeof value.value === "boolean") unify = value.value;
      else expectOneOf(reader, value, "`unify`", ["true", "false", "when_possible"]);
    },
    reuse: (value) => {
      if (value.kind === "map") {
        reuse = readReuse(reader, value);
        return;
      }
      if (value.kind === "scalar" && typeof value.value === "boolean") return;
      expectOneOf(reader, value, "`reuse`", ["true", "false", "dependencies"]);
    },
    targets: (value) => {
      const targets = expectMap(reader, value, "`targets`");
      if (targets === undefined) return;
      readKeys(reader, targets, "`targets`", {
        granularity: (word) => {
          granularity = expectOneOf(reader, word, "`granularity`", ["generic", "microarchitectures"]);
        },
        host_compatible: (word) => void expectBoolean(reader, word, "`host_compatible`"),
      });
    },
    duplicates: undefined,
    splice: undefined,
    os_compatible: undefined,
    enable_node_namespace: undefined,
    force: undefined,
    compiler_mixing: undefined,
    timeout: undefined,
    error_on_timeout: undefined,
    static_analysis: undefined,
    concretization_cache: undefined,
    externals: undefined,
  });
  return { unify, granularity, reuse };
}

/**
 * What `reuse:` lets through. What holds for a build cache is what its entry in `from:` says, else what stands beside `from:`;
 * entries for other sources do not matter here.
 */
function readReuse(reader: SpecReader, section: YamlMap): ConcretizerSettings["reuse"] {
  const filterOf = (map: YamlMap, fallback: ReuseFilter): ReuseFilter => {
    const specs = (name: keyof ReuseFilter) => {
      const value = map.entries.find(({ key }) => plainKey(key) === name)?.value;
      return value === undefined
        ? fallback[name]
        : expectTexts(reader, value, `\`${name}\``).flatMap((scalar) => readSpec(reader, scalar) ?? []);
    };
    return { include: specs("include"), exclude: specs("exclude") };
  };
  const general = filterOf(section, { include: [], exclude: [] });
  const from = section.entries.find(({ key }) => plainKey(key) === "from")?.value;
  const sources = (from?.kind === "list" ? from.items : []).flatMap((item) =>
    item.kind === "map" ? item : [],
  );
  const isCache = ({ entries }: YamlMap) =>
    entries.some(
      ({ key, value }) => plainKey(key) === "type" && value.kind === "scalar" && value.text === "buildcache",
    );
  const caches = sources.filter(isCache).map((source) => filterOf(source, general));
  const filters = caches.length > 0 ? caches : [general];
  return filters.every(({ include, exclude }) => include.length + exclude.length > 0) ? filters : [];
}

/** Reads `projections:` in the order of the file. */
export function readProjections(reader: SpecReader, section: YamlNode): readonly Projection[] {
  const map = expectMap(reader, section, "`projections`");
  return (map?.entries ?? []).flatMap((entry) => {
    const format = expectText(reader, entry.value, `the projection of \`${entry.key}\``)?.text;
    if (format === undefined) return [];
    // A colon at the end of a key with an @ in it is a version's.
    const key = entry.key.includes("@") ? entry.key : plainKey(entry.key);
    if (key === "all") return { spec: undefined, format };
    const spec = parsePlaced(reader, {
      kind: "scalar",
      value: key,
      text: key,
      quoted: false,
      place: entry.keyPlace,
      indent: 0,
    });
    return spec === undefined ? [] : { spec, format };
  });
}

/** Reads `view:` in all its forms. */
export function readViews(reader: SpecReader, section: YamlNode): readonly ViewSettings[] {
  const view = (root: string | undefined): ViewSettings => ({
    name: "default",
    root,
    link: "all",
    linkType: "symlink",
    select: [],
    exclude: [],
    projections: [],
    place: section.place,
  });
  if (section.kind === "scalar") {
    if (section.value === true || section.value === null) return [view(undefined)];
    if (section.value === false) return [];
    const root = expectText(reader, section, "`view`")?.text;
    return root === undefined ? [] : [view(root)];
  }
  const map = expectMap(reader, section, "`view`");
  return (map?.entries ?? []).flatMap((entry) => readView(reader, entry) ?? []);
}

const linkTypes: Readonly<Record<string, ViewSettings["linkType"]>> = {
  symlink: "symlink",
  soft: "symlink",
  hardlink: "hardlink",
  hard: "hardlink",
  copy: "copy",
  relocate: "copy",
  add: "symlink",
};

function readView(reader: SpecReader, entry: YamlEntry): ViewSettings | undefined {
  const name = plainKey(entry.key);
  const what = `the view \`${name}\``;
  const map = expectMap(reader, entry.value, what);
  if (map === undefined) return undefined;
  let root: string | undefined;
  let rooted = false;
  let link: ViewSettings["link"] = "all";
  let linkType: ViewSettings["linkType"] = "symlink";
  let select: ViewSettings["select"] = [];
  let exclude: ViewSettings["exclude"] = [];
  let projections: readonly Projection[] = [];
  readKeys(reader, map, what, {
    root: (value) => {
      rooted = true;
      root = expectText(reader, value, "`root`")?.text;
    },
    link: (value) => {
      link = expectOneOf(reader, value, "`link`", ["all", "run", "roots"]) ?? link;
    },
    link_type: (value) => {
      const word = expectOneOf(reader, value, "`link_type`", Object.keys(linkTypes));
      linkType = (word === undefined ? undefined : linkTypes[word]) ?? linkType;
    },
    select: (value) => {
      select = expectTexts(reader, value, "`select`").flatMap((scalar) => readSpec(reader, scalar) ?? []);
    },
    exclude: (value) => {
      exclude = expectTexts(reader, value, "`exclude`").flatMap((scalar) => readSpec(reader, scalar) ?? []);
    },
    projections: (value) => {
      projections = readProjections(reader, value);
    },
  });
  if (!rooted) reader.problems.error("MANIFEST_INVALID", `${what} has no \`root\``, entry.keyPlace);
  return { name, root, link, linkType, select, exclude, projections, place: entry.keyPlace };
}

/** Reads `config:`; keys that do not matter to an image are left to Spack. */
export function readConfig(reader: SpecReader, section: YamlNode): ConfigSettings {
  let { installTree, paddedLength, installHashLength, projections } = defaultConfig;
  for (const entry of expectMap(reader, section, "`config`")?.entries ?? []) {
    const key = plainKey(entry.key);
    if (key === "environments_root")
      reader.problems.error(
        "MANIFEST_INVALID",
        "`environments_root` cannot be set by an environment",
        entry.keyPlace,
        "Spack takes it from its own configuration only",
      );
    if (key === "install_path_scheme") {
      // The old name of the projection of all packages.
      const format = expectText(reader, entry.value, `\`${key}\``)?.text;
      if (format !== undefined) projections = [...projections, { spec: undefined, format }];
    }
    if (key === "install_hash_length") installHashLength = expectCount(reader, entry.value, `\`${key}\``);
    if (key !== "install_tree") continue;
    if (entry.value.kind === "scalar") {
      installTree = placed(expectText(reader, entry.value, "`install_tree`"));
      continue;
    }
    const tree = expectMap(reader, entry.value, "`install_tree`");
    if (tree === undefined) continue;
    readKeys(reader, tree, "`install_tree`", {
      root: (value) => {
        installTree = placed(expectText(reader, value, "`root`"));
      },
      padded_length: (value) => {
        if (value.kind === "scalar" && typeof value.value === "boolean") return;
        paddedLength = expectCount(reader, value, "`padded_length`");
      },
      projections: (value) => {
        projections = [...readProjections(reader, value), ...projections];
      },
    });
  }
  return { installTree, paddedLength, installHashLength, projections };
}

/** Reads the specs of `compilers:`; what else they are does not matter here. */
export function readCompilers(reader: SpecReader, section: YamlNode): readonly PlacedSpec[] {
  return expectList(reader, section, "`compilers`").flatMap((item) => {
    const [only] = item.kind === "map" ? item.entries : [];
    const spec = only?.value.kind === "map" ? yamlEntry(only.value, "spec")?.value : undefined;
    return spec === undefined ? [] : (expectSpec(reader, spec, "`spec`") ?? []);
  });
}

function placed(scalar: YamlScalar | undefined): ConfigSettings["installTree"] {
  return scalar === undefined ? undefined : { root: scalar.text, place: scalar.place };
}

/** Reads `mirrors:`. */
export function readMirrors(reader: SpecReader, section: YamlNode): readonly MirrorSettings[] {
  return (expectMap(reader, section, "`mirrors`")?.entries ?? []).flatMap((entry) => {
    const name = plainKey(entry.key);
    const what = `the mirror \`${name}\``;
    if (entry.value.kind === "scalar") {
      const url = expectText(reader, entry.value, what)?.text;
      return url === undefined
        ? []
        : { name, url: redactUrl(url), binary: true, signed: true, place: entry.keyPlace };
    }
    const map = expectMap(reader, entry.value, what);
    if (map === undefined) return [];
    let url: string | undefined;
    let binary = true;
    let signed = true;
    const connection = (value: YamlNode) => {
      const address = value.kind === "map" ? value.entries.find(({ key }) => key === "url")?.value : value;
      if (address !== undefined) url ??= expectText(reader, address, `the address of ${what}`)?.text;
    };
    readKeys(reader, map, what, {
      url: connection,
      fetch: connection,
      push: undefined,
      binary: (value) => {
        binary = expectBoolean(reader, value, "`binary`") ?? binary;
      },
      signed: (value) => {
        signed = expectBoolean(reader, value, "`signed`") ?? signed;
      },
      source: (value) => void expectBoolean(reader, value, "`source`"),
      autopush: (value) => void expectBoolean(reader, value, "`autopush`"),
      access_pair: undefined,
      profile: undefined,
      endpoint_url: undefined,
      access_token: undefined,
      access_token_variable: undefined,
      view: undefined,
    });
    return url === undefined ? [] : { name, url: redactUrl(url), binary, signed, place: entry.keyPlace };
  });
}

/** Reads `env_vars:`. */
export function readEnvironmentVariables(
  reader: SpecReader,
  section: YamlNode,
): readonly EnvironmentVariableChange[] {
  const changes: EnvironmentVariableChange[] = [];
  const map = expectMap(reader, section, "`env_vars`");
  if (map === undefined) return [];
  const check = (variable: string, at: YamlNode | YamlEntry) => {
    const fine = /^[A-Za-z_][A-Za-z0-9_]*$/.test(variable);
    if (!fine)
      reader.problems.error(
        "MANIFEST_INVALID",
        `\`${variable}\` cannot be the name of an environment variable`,
        "keyPlace" in at ? at.keyPlace : at.place,
      );
    return fine;
  };
  const values = (action: Exclude<EnvironmentVariableChange["action"], "unset">) => (node: YamlNode) => {
    for (const entry of expectMap(reader, node, `\`${action}\``)?.entries ?? []) {
      const { value } = entry;
      if (value.kind !== "scalar" || value.value === null || typeof value.value === "boolean")
        expectText(reader, value, `the value of \`${entry.key}\``);
      else if (check(entry.key, entry)) {
        const lost = lostNumber(value);
        if (lost !== undefined)
          reader.problems.warning(
            "MANIFEST_INVALID",
            `\`${entry.key}\` becomes \`${value.text}\` here; to Spack, without quotes, it is the number ${lost}`,
            value.place,
            `write "${value.text}"`,
          );
        changes.push({ action, variable: entry.key, value: value.text });
      }
    }
  };
  readKeys(reader, map, "`env_vars`", {
    set: values("set"),
    prepend_path: values("prepend_path"),
    append_path: values("append_path"),
    remove_path: values("remove_path"),
    unset: (node) => {
      for (const item of expectList(reader, node, "`unset`")) {
        const name = item.kind === "scalar" && typeof item.value === "number" ? item : undefined;
        const variable = name?.text ?? expectText(reader, item, "an item of `unset`")?.text;
        if (variable !== undefined && check(variable, item))
          changes.push({ action: "unset", variable, value: "" });
      }
    },
  });
  return changes;
}
