/** What is wrong with a `spacktainers.yaml`: the schema's findings as problems with places, and what no schema can say. */
import type * as z from "zod";
import { compressionLevels } from "../archive/layerCompression.ts";
import type { ErrorCode } from "../util/errors.ts";
import { configurationSchema, configurationVersion } from "./configurationSchema.ts";
import { didYouMean, nearestNames } from "./nearest.ts";
import { placeOfPath, type YamlNode, yamlEntry } from "./positionedYaml.ts";
import type { ProblemList } from "./problems.ts";

/** Keys of `base` of which there must be exactly one. */
export const baseKinds = ["debian", "ubuntu", "rootfs", "oci", "image", "scratch"] as const;
/** Keys of `base` that belong to `debian` and `ubuntu`. */
export const archiveSettings = [
  "packages",
  "complete",
  "mirror",
  "security-mirror",
  "components",
  "keyring",
  "snapshot",
] as const;

type Issue = z.core.$ZodIssue;

/**
 * Turns one finding of the schema into a problem with a place and, for a misspelt key, the nearest known one.
 *
 * @param before path of the value that the issue's own path starts from
 * @param schema what the whole tree was checked with
 * @param code of the problems
 */
export function reportIssue(
  issue: Issue,
  tree: YamlNode,
  before: readonly PropertyKey[],
  problems: ProblemList,
  schema: z.ZodType = configurationSchema(),
  code: ErrorCode = "CONFIG_INVALID",
): void {
  const path = [...before, ...issue.path];
  const where = path.length === 0 ? "the file" : `\`${path.map(String).join(".")}\``;
  if (issue.code === "unrecognized_keys") {
    for (const key of issue.keys) {
      const known = knownKeys(path, schema);
      const hint =
        didYouMean(key, known) ?? (known.length > 0 ? `known here: ${known.join(", ")}` : undefined);
      const within = path.length === 0 ? "" : ` in ${where}`;
      problems.error(code, `unknown key \`${key}\`${within}`, placeOfPath(tree, [...path, key], "key"), hint);
    }
    return;
  }
  if (issue.code === "invalid_union") {
    const best = fittingAlternative(issue);
    if (best.length > 0) {
      for (const inner of best) reportIssue(inner, tree, path, problems, schema, code);
      return;
    }
    const expected = issue.errors.flatMap((issues) =>
      issues.map((i) => ("expected" in i ? String(i.expected) : "")),
    );
    const kinds = [...new Set(expected.filter((kind) => kind !== ""))].map(kindName);
    problems.error(
      code,
      `${where} must be ${kinds.length > 0 ? kinds.join(" or ") : "something else"}`,
      placeOfPath(tree, path, "value"),
    );
    return;
  }
  const place = placeOfPath(tree, path, "value");
  if (issue.code === "invalid_type") {
    const missing = issue.input === undefined && yamlMissing(tree, path);
    if (missing) {
      const key = String(path.at(-1));
      problems.error(code, `the key \`${key}\` is missing here`, placeOfPath(tree, path, "key"));
    } else problems.error(code, `${where} must be ${kindName(issue.expected)}`, place);
    return;
  }
  if (issue.code === "invalid_value") {
    const values = issue.values.map(String);
    const given = valueAt(tree, path);
    const near = given === undefined || values.length === 1 ? [] : nearestNames(given, values);
    const isVersion = path.length === 1 && path[0] === "spacktainers";
    problems.error(
      code,
      isVersion
        ? `this program reads version ${configurationVersion} of the configuration format, not \`${given}\``
        : `${where} must be ${values.length === 1 ? values[0] : `one of ${values.join(", ")}`}`,
      place,
      near.length > 0 ? `did you mean \`${near[0]}\`?` : undefined,
    );
    return;
  }
  if (issue.code === "too_small" || issue.code === "too_big") {
    const bound = issue.code === "too_small" ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
    const what =
      issue.origin === "string"
        ? `${where} must have ${bound} characters`
        : issue.origin === "array"
          ? `${where} must have ${bound} items`
          : `${where} must be ${bound}`;
    problems.error(code, what, place);
    return;
  }
  problems.error(code, `${where} ${issue.message}`, place);
}

/** The findings for a value that may be one of several things: those of the alternative that fits best, which does not complain about its type. */
function fittingAlternative(issue: Extract<Issue, { code: "invalid_union" }>): readonly Issue[] {
  return (
    issue.errors.find((issues) => issues.every((i) => i.code !== "invalid_type" || i.path.length > 0)) ?? []
  );
}

/**
 * Takes out of a value what a finding of the schema is about, or what that is in where it must not be missing; a list with a
 * wrong item goes as a whole.
 *
 * @param value plain data of the caller's own; changed
 * @param before path of the value that the issue's own path starts from
 */
export function removeFaulty(value: unknown, issue: Issue, before: readonly PropertyKey[] = []): void {
  const path = [...before, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    for (const key of issue.keys) removeAt(value, [...path, key]);
    return;
  }
  const best = issue.code === "invalid_union" ? fittingAlternative(issue) : [];
  if (best.length > 0) for (const inner of best) removeFaulty(value, inner, path);
  else removeAt(value, path);
}

function removeAt(value: unknown, path: readonly PropertyKey[]): void {
  const parents: Record<PropertyKey, unknown>[] = [];
  let at: unknown = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null) return;
    parents.push(at as Record<PropertyKey, unknown>);
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  for (let depth = path.length - 1; depth >= 0; depth--) {
    const [parent, key] = [parents[depth], path[depth]];
    if (parent === undefined || key === undefined || Array.isArray(parent) || !Object.hasOwn(parent, key))
      continue;
    delete parent[key];
    return;
  }
}

function kindName(expected: string): string {
  if (expected === "object" || expected === "record") return "a mapping";
  if (expected === "array") return "a list";
  if (expected === "string") return "text";
  if (expected === "boolean") return "true or false";
  if (expected === "int" || expected === "number") return "a whole number";
  return expected;
}

function valueAt(tree: YamlNode, path: readonly PropertyKey[]): string | undefined {
  let node: YamlNode | undefined = tree;
  for (const part of path)
    node = node?.kind === "list" ? node.items[Number(part)] : yamlEntry(node, String(part))?.value;
  return node?.kind === "scalar" ? node.text : undefined;
}

function yamlMissing(tree: YamlNode, path: readonly PropertyKey[]): boolean {
  let node: YamlNode | undefined = tree;
  for (const part of path) {
    node = node?.kind === "list" ? node.items[Number(part)] : yamlEntry(node, String(part))?.value;
    if (node === undefined) return true;
  }
  return false;
}

/** Keys that the schema knows at a path. */
function knownKeys(path: readonly PropertyKey[], schema: z.ZodType): string[] {
  interface Definition {
    readonly type: string;
    readonly innerType?: Schema;
    readonly shape?: Readonly<Record<string, Schema>>;
    readonly element?: Schema;
    readonly valueType?: Schema;
    readonly options?: readonly Schema[];
    readonly getter?: () => Schema;
  }
  interface Schema {
    readonly def: Definition;
  }
  let schemas: readonly Schema[] = [schema as unknown as Schema];
  const open = (schema: Schema): readonly Schema[] => {
    if (schema.def.type === "optional" && schema.def.innerType !== undefined)
      return open(schema.def.innerType);
    if (schema.def.type === "lazy" && schema.def.getter !== undefined) return open(schema.def.getter());
    if (schema.def.type === "union") return (schema.def.options ?? []).flatMap(open);
    return [schema];
  };
  for (const part of path) {
    schemas = schemas.flatMap(open).flatMap(({ def }) => {
      const next =
        def.type === "array"
          ? def.element
          : def.type === "record"
            ? def.valueType
            : def.shape?.[String(part)];
      return next === undefined ? [] : [next];
    });
  }
  return schemas.flatMap(open).flatMap(({ def }) => Object.keys(def.shape ?? {}));
}

/** What the schema cannot say about `base`: exactly one kind, and only keys that belong to it. */
export function checkBase(tree: YamlNode, problems: ProblemList): void {
  const entry = yamlEntry(tree, "base");
  if (entry?.value.kind !== "map") return;
  const base = entry.value;
  const kinds = baseKinds.flatMap((kind) => yamlEntry(base, kind) ?? []);
  if (kinds.length === 0)
    problems.error(
      "CONFIG_INVALID",
      "`base` does not name a base",
      entry.keyPlace,
      `add one of ${baseKinds.join(", ")}`,
    );
  for (const extra of kinds.slice(1))
    problems.error(
      "CONFIG_INVALID",
      `\`base\` has both \`${kinds[0]?.key}\` and \`${extra.key}\`: give only one`,
      extra.keyPlace,
    );
  const kind = kinds[0]?.key;
  if (kind === undefined) return;
  if (kind !== "debian" && kind !== "ubuntu")
    for (const key of archiveSettings) {
      const wrong = yamlEntry(base, key);
      if (wrong !== undefined)
        problems.error(
          "CONFIG_INVALID",
          `\`base.${key}\` belongs to \`debian\` and \`ubuntu\`, not to \`${kind}\``,
          wrong.keyPlace,
        );
    }
  const reference = yamlEntry(base, "reference");
  if (kind !== "oci" && reference !== undefined)
    problems.error("CONFIG_INVALID", "`base.reference` belongs to `oci`", reference.keyPlace);
}

/** What the schema cannot say about `layers`: the levels that gzip has. */
export function checkLayers(tree: YamlNode, problems: ProblemList): void {
  const layers = yamlEntry(tree, "layers")?.value;
  const format = layers && yamlEntry(layers, "compression")?.value;
  const level = layers && yamlEntry(layers, "level")?.value;
  if (level?.kind !== "scalar" || typeof level.value !== "number") return;
  const { highest } = compressionLevels.gzip;
  if (
    (format === undefined || (format.kind === "scalar" && format.value === "gzip")) &&
    level.value > highest
  )
    problems.error(
      "CONFIG_INVALID",
      `\`layers.level\` must be at most ${highest} for gzip`,
      level.place,
      "zstd has levels up to 19",
    );
}
