/** The section `include`: what it names. */
import type { YamlEntry, YamlMap, YamlNode } from "../definitions/positionedYaml.ts";
import type { Dialect } from "../spec/abstract.ts";
import type { Place } from "../util/errors.ts";
import { manifestShapes } from "./data/manifestShapes.ts";
import { checkShape } from "./shape.ts";
import { expectList, plainKey, type YamlReader } from "./yamlReader.ts";

/** An entry of `include`. */
export interface Include {
  /** Path or address, as written; of what is in a repository, its address. */
  readonly path: string;
  readonly kind: "path" | "git";
  readonly optional: boolean;
  /** The condition. */
  readonly when: YamlNode | undefined;
  /** Name of the scope, where it is given. */
  readonly name: string | undefined;
  /** Variable of the environment that names another path. */
  readonly overrideVariable: string | undefined;
  readonly sha256: string | undefined;
  readonly place: Place;
}

/** Reads the section as the generation has it: plain paths in 0.x, conditions and repositories, too, in 1.x. */
export function readIncludes(reader: YamlReader, { value }: YamlEntry, dialect: Dialect): readonly Include[] {
  const before = reader.problems.errors.length;
  const shape = manifestShapes[dialect].include;
  if (shape !== undefined)
    checkShape({ ...reader, dialect, toolchains: new Map() }, value, shape, "`include`");
  if (reader.problems.errors.length > before) return [];
  return expectList(reader, value, "`include`").flatMap((item) => {
    if (item.kind === "scalar") return plain(item.text, item.place);
    return item.kind === "map" ? (readMap(reader, item) ?? []) : [];
  });
}

function plain(path: string, place: Place): Include {
  return {
    path,
    kind: "path",
    optional: false,
    when: undefined,
    name: undefined,
    overrideVariable: undefined,
    sha256: undefined,
    place,
  };
}

function readMap({ problems }: YamlReader, map: YamlMap): Include | undefined {
  const node = (key: string) => map.entries.find((entry) => plainKey(entry.key) === key)?.value;
  const text = (key: string) => {
    const value = node(key);
    return value?.kind === "scalar" && typeof value.value === "string" ? value.text : undefined;
  };
  const optional = node("optional");
  const condition = node("when");
  const common = {
    optional: optional?.kind === "scalar" && optional.value === true,
    when: condition?.kind === "scalar" && condition.value !== "" ? condition : undefined,
    name: text("name") || undefined,
    overrideVariable: text("path_override_env_var") || undefined,
    sha256: text("sha256") || undefined,
    place: map.place,
  };
  const path = text("path");
  if (path !== undefined && path !== "") return { path, kind: "path", ...common };
  const paths = node("paths");
  const missing =
    path !== undefined
      ? "the path is empty"
      : text("branch") || text("commit") || text("tag")
        ? paths?.kind !== "list" || paths.items.length === 0
          ? "an include from a repository needs `paths`"
          : undefined
        : "an include from a repository needs a `branch`, `commit` or `tag`";
  if (missing !== undefined) {
    problems.error("MANIFEST_INVALID", missing, map.place);
    return undefined;
  }
  return { path: text("git") ?? "", kind: "git", ...common };
}
