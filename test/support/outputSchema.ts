/** Whether what a verb prints with `--json` is what its published schema says. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Ajv, type AnySchema, type ValidateFunction } from "ajv";

const folder = resolve(import.meta.dirname, "../../schema/output");
const ajv = new Ajv({ allErrors: true, strict: false });
const validators = new Map<string, ValidateFunction>();

/**
 * The lines of a `--json` output that no schema allows, each with the reason. Fields that a schema does not have are mistakes here, though
 * readers have to expect them.
 *
 * @returns empty for verbs without a schema, whose output is a program's
 */
export function outputFaults(args: readonly string[], stdout: string): readonly string[] {
  const verb = verbOf(args);
  if (verb === undefined || !stdout.startsWith("{")) return [];
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .flatMap((line) => faultsOf(line, verb));
}

/** The schema of a command line's verb: the longest name of words that are no options. */
function verbOf(args: readonly string[]): string | undefined {
  const end = args.indexOf("--");
  const given = end < 0 ? args : args.slice(0, end);
  if (!given.includes("--json")) return undefined;
  const words = given.filter((word) => !word.startsWith("-"));
  return [words.slice(0, 2).join("-"), words[0] ?? ""].find((name) =>
    existsSync(join(folder, `${name}.json`)),
  );
}

function faultsOf(line: string, verb: string): readonly string[] {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return [`no JSON: ${line}`];
  }
  const { type } = value as { readonly type?: unknown };
  const name = type === "result" || isOwnLine(verb, type) ? verb : type === "error" ? "error" : "event";
  const validate = validatorOf(name);
  if (validate(value)) return [];
  const reasons = (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
  return [`not as schema/output/${name}.json: ${line}\n  ${reasons.slice(0, 20).join("\n  ")}`];
}

/** Lines of other types that only one verb prints. */
function isOwnLine(verb: string, type: unknown): boolean {
  return readFileSync(join(folder, `${verb}.json`), "utf8").includes(`"const": ${JSON.stringify(type)}`);
}

function validatorOf(name: string): ValidateFunction {
  const known = validators.get(name);
  if (known !== undefined) return known;
  const schema = strict(JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")));
  const made = ajv.compile(schema as AnySchema);
  validators.set(name, made);
  return made;
}

/** A schema that allows no other fields. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== "object" || schema === null) return schema;
  const all: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema))
    all[key] = key === "properties" ? eachStrict(value) : strict(value);
  return "properties" in all && !("additionalProperties" in all)
    ? { ...all, additionalProperties: false }
    : all;
}

function eachStrict(properties: unknown): unknown {
  return Object.fromEntries(
    Object.entries(properties as object).map(([name, value]) => [name, strict(value)]),
  );
}
