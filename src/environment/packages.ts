/** The `packages:` section: preferences and requirements. */
import { placeInScalar, type YamlEntry, type YamlMap, type YamlNode } from "../definitions/positionedYaml.ts";
import { parseVersionSet } from "../spec/versions.ts";
import { SpacktainersError } from "../util/errors.ts";
import { expectSpec, readSpec, type SpecReader } from "./specReader.ts";
import type { ConditionalSpec, ExternalPackage, PackageSettings, PlacedSpec, Requirement } from "./types.ts";
import {
  expectBoolean,
  expectList,
  expectMap,
  expectText,
  expectTexts,
  lostNumber,
  plainKey,
  readKeys,
} from "./yamlReader.ts";

/** Settings that say nothing. */
export function noSettings(name: string): PackageSettings {
  return {
    name,
    place: {},
    require: [],
    prefer: [],
    conflict: [],
    variants: [],
    versions: [],
    targets: [],
    compilers: [],
    providers: new Map(),
    buildable: undefined,
    externals: [],
  };
}

/** Unquoted versions become the texts that Spack takes them for before scopes are merged; see {@link lostNumber}. */
export function withVersionTexts(sections: YamlMap): YamlMap {
  const changed = (map: YamlMap, change: (entry: YamlEntry) => YamlNode): YamlMap => ({
    ...map,
    entries: map.entries.map((entry) => ({ ...entry, value: change(entry) })),
  });
  const asText = (node: YamlNode): YamlNode =>
    node.kind === "scalar" && typeof node.value === "number" && lostNumber(node) === undefined
      ? { ...node, value: node.text }
      : node;
  const ofPackage = ({ key, value }: YamlEntry): YamlNode =>
    plainKey(key) === "version" && value.kind === "list"
      ? { ...value, items: value.items.map(asText) }
      : value;
  return changed(sections, ({ key, value }) =>
    plainKey(key) === "packages" && value.kind === "map"
      ? changed(value, ({ value: settings }) =>
          settings.kind === "map" ? changed(settings, ofPackage) : settings,
        )
      : value,
  );
}

/** Reads `packages:`. */
export function readPackages(
  reader: SpecReader,
  section: YamlNode,
): { readonly all: PackageSettings; readonly packages: ReadonlyMap<string, PackageSettings> } {
  const packages = new Map<string, PackageSettings>();
  let all = noSettings("all");
  const map = expectMap(reader, section, "`packages`");
  for (const entry of map?.entries ?? []) {
    const name = plainKey(entry.key);
    if (!/^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(name)) {
      reader.problems.warning(
        "MANIFEST_INVALID",
        `\`${entry.key}\` has no effect: no package can have this name`,
        entry.keyPlace,
        "name only the package here; versions and variants go into `require` or the spec",
      );
      continue;
    }
    const settings = readSettings(reader, name, entry);
    if (name === "all") all = settings;
    else packages.set(name, settings);
  }
  return { all, packages };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function readSettings(reader: SpecReader, name: string, entry: YamlEntry): PackageSettings {
  const settings: Writable<PackageSettings> = { ...noSettings(name), place: entry.keyPlace };
  const what = `\`packages: ${name}\``;
  const map = expectMap(reader, entry.value, what);
  if (map === undefined) return settings;
  const onlyAll = (key: string, at: YamlEntry) => {
    if (name !== "all")
      reader.problems.error("MANIFEST_INVALID", `\`${key}\` belongs under \`packages: all\``, at.keyPlace);
    return name === "all";
  };
  readKeys(reader, map, what, {
    require: (value) => {
      settings.require = readRequire(reader, value);
    },
    prefer: (value) => {
      settings.prefer = readConditional(reader, value, "`prefer`");
    },
    conflict: (value) => {
      settings.conflict = readConditional(reader, value, "`conflict`");
    },
    variants: (value) => {
      settings.variants = expectTexts(reader, value, "`variants`", true).flatMap(
        (scalar) => readSpec(reader, scalar) ?? [],
      );
    },
    version: (value, at) => {
      if (name === "all")
        reader.problems.error("MANIFEST_INVALID", "`version` cannot be set for all packages", at.keyPlace);
      else settings.versions = readVersions(reader, value);
    },
    target: (value, at) => {
      if (!onlyAll("target", at)) return;
      settings.targets = expectTexts(reader, value, "`target`").map((scalar) => ({
        text: scalar.text,
        place: scalar.place,
      }));
    },
    compiler: (value, at) => {
      if (!onlyAll("compiler", at)) return;
      settings.compilers = expectTexts(reader, value, "`compiler`").flatMap(
        (scalar) => readSpec(reader, scalar) ?? [],
      );
    },
    providers: (value, at) => {
      if (!onlyAll("providers", at)) return;
      const providers = new Map<string, readonly PlacedSpec[]>();
      for (const virtual of expectMap(reader, value, "`providers`")?.entries ?? [])
        providers.set(
          plainKey(virtual.key),
          expectTexts(reader, virtual.value, `the providers of \`${plainKey(virtual.key)}\``).flatMap(
            (scalar) => readSpec(reader, scalar) ?? [],
          ),
        );
      settings.providers = providers;
    },
    buildable: (value) => {
      settings.buildable = expectBoolean(reader, value, "`buildable`");
    },
    externals: (value) => {
      settings.externals = expectList(reader, value, "`externals`").flatMap(
        (item) => readExternal(reader, item) ?? [],
      );
    },
    permissions: undefined,
    package_attributes: undefined,
    modules: undefined,
    paths: undefined,
  });
  return settings;
}

function readRequire(reader: SpecReader, node: YamlNode): readonly Requirement[] {
  if (node.kind === "scalar") {
    const option = expectSpec(reader, node, "`require`");
    return option === undefined ? [] : [single(option)];
  }
  return expectList(reader, node, "`require`").flatMap((item) => {
    if (item.kind === "scalar") {
      const option = expectSpec(reader, item, "a requirement");
      return option === undefined ? [] : single(option);
    }
    return readRequirement(reader, item) ?? [];
  });
}

function single(option: PlacedSpec): Requirement {
  return { policy: "one_of", options: [option], when: undefined, message: undefined, place: option.place };
}

function readRequirement(reader: SpecReader, node: YamlNode): Requirement | undefined {
  const map = expectMap(reader, node, "a requirement");
  if (map === undefined) return undefined;
  let options: readonly PlacedSpec[] | undefined;
  let policy: Requirement["policy"] = "one_of";
  let when: PlacedSpec | undefined;
  let message: string | undefined;
  const several = (key: Requirement["policy"]) => (value: YamlNode, entry: YamlEntry) => {
    if (options !== undefined) tooMany(entry);
    policy = key;
    options = expectTexts(reader, value, `\`${key}\``).flatMap((scalar) => readSpec(reader, scalar) ?? []);
  };
  const tooMany = (entry: YamlEntry) =>
    reader.problems.error(
      "MANIFEST_INVALID",
      "a requirement has only one of `spec`, `one_of`, `any_of`",
      entry.keyPlace,
    );
  readKeys(reader, map, "a requirement", {
    one_of: several("one_of"),
    any_of: several("any_of"),
    spec: (value, entry) => {
      if (options !== undefined) tooMany(entry);
      const spec = expectSpec(reader, value, "`spec`");
      options = spec === undefined ? [] : [spec];
    },
    when: (value) => {
      when = expectSpec(reader, value, "`when`");
    },
    message: (value) => {
      message = expectText(reader, value, "`message`")?.text;
    },
  });
  if (options === undefined) {
    reader.problems.error(
      "MANIFEST_INVALID",
      "this requirement requires nothing",
      map.place,
      "add `spec`, `one_of` or `any_of`",
    );
    return undefined;
  }
  return { policy, options, when, message, place: map.place };
}

function readConditional(reader: SpecReader, node: YamlNode, what: string): readonly ConditionalSpec[] {
  return expectList(reader, node, what).flatMap((item) => {
    if (item.kind === "scalar") {
      const spec = expectSpec(reader, item, `an item of ${what}`);
      return spec === undefined ? [] : { spec, when: undefined, message: undefined };
    }
    const map = expectMap(reader, item, `an item of ${what}`);
    if (map === undefined) return [];
    let spec: PlacedSpec | undefined;
    let when: PlacedSpec | undefined;
    let message: string | undefined;
    let named = false;
    readKeys(reader, map, `an item of ${what}`, {
      spec: (value) => {
        named = true;
        spec = expectSpec(reader, value, "`spec`");
      },
      when: (value) => {
        when = expectSpec(reader, value, "`when`");
      },
      message: (value) => {
        message = expectText(reader, value, "`message`")?.text;
      },
    });
    if (!named) reader.problems.error("MANIFEST_INVALID", "the key `spec` is missing here", map.place);
    return spec === undefined ? [] : { spec, when, message };
  });
}

function readVersions(reader: SpecReader, node: YamlNode): PackageSettings["versions"] {
  return expectList(reader, node, "`version`").flatMap((item) => {
    if (item.kind !== "scalar" || item.value === null || typeof item.value === "boolean") {
      expectText(reader, item, "a version");
      return [];
    }
    const lost = lostNumber(item);
    if (lost !== undefined) {
      reader.problems.error(
        "MANIFEST_INVALID",
        `unquoted, \`${item.text}\` is the number ${lost}, not a version`,
        item.place,
        `write "${item.text}"`,
      );
      return [];
    }
    try {
      return { text: item.text, set: parseVersionSet(item.text, reader.dialect), place: item.place };
    } catch (thrown) {
      if (!(thrown instanceof SpacktainersError)) throw thrown;
      reader.problems.error("VERSION_SYNTAX", thrown.message, placeInScalar(item, 0), thrown.hint);
      return [];
    }
  });
}

function readExternal(reader: SpecReader, node: YamlNode): ExternalPackage | undefined {
  const map = expectMap(reader, node, "an external");
  if (map === undefined) return undefined;
  let spec: PlacedSpec | undefined;
  let prefix: string | undefined;
  let modules: readonly string[] = [];
  let named = false;
  for (const entry of map.entries) {
    // Other keys are allowed here, as Spack does.
    if (entry.key === "spec") {
      named = true;
      spec = expectSpec(reader, entry.value, "`spec`");
    } else if (entry.key === "prefix") prefix = expectText(reader, entry.value, "`prefix`")?.text;
    else if (entry.key === "modules")
      modules = expectTexts(reader, entry.value, "`modules`").map(({ text }) => text);
  }
  if (!named) reader.problems.error("MANIFEST_INVALID", "this external has no `spec`", map.place);
  return spec === undefined ? undefined : { spec, prefix, modules };
}
