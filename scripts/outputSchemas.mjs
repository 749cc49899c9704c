// JSON Schemas of what verbs print with --json, from the types in src/cli/verbResults.ts and those that verbs add to them. Types are read with the compiler's own
// checker, which resolves what is derived (`Omit`, `Pick`, what zod infers); the native compiler of this project has no such interface.
// With --check it only says whether schema/output/ is up to date.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import ts from "typescript-api";

const root = join(import.meta.dirname, "..");
const source = join(root, "src/cli/verbResults.ts");
/** Verbs that say in their own file what they print. */
const verbFolder = join(root, "src/cli/verbs");
const additions = readdirSync(verbFolder)
  .sort()
  .map((name) => join(verbFolder, name))
  .filter((path) => readFileSync(path, "utf8").includes('declare module "../verbResults.ts"'));
const { ObjectFlags, SymbolFlags, TypeFlags } = ts;

/** The schemas of all verbs: file names below schema/output and their texts. */
function outputSchemas() {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile).config,
    ts.sys,
    root,
  );
  const program = ts.createProgram([source, ...additions], { ...options, noEmit: true });
  const file = program.getSourceFile(source);
  const checker = program.getTypeChecker();
  const exported = new Map(
    checker.getExportsOfModule(checker.getSymbolAtLocation(file)).map((symbol) => [symbol.name, symbol]),
  );
  const typeOf = (name) => checker.getDeclaredTypeOfSymbol(exported.get(name));
  const members = (name) =>
    new Map(
      checker
        .getPropertiesOfType(typeOf(name))
        .map((symbol) => [symbol.name, checker.getTypeOfSymbol(symbol)]),
    );
  const lines = members("VerbLines");
  const schemas = new Map();
  for (const [verb, type] of members("VerbResults")) {
    const write = schemaWriter(checker);
    const result = ofType(write(type), "result", write);
    const other = lines.get(verb);
    const all = other === undefined ? result : { anyOf: [result, write(other)] };
    schemas.set(`${verb.replaceAll(" ", "-")}.json`, document(`spacktainers ${verb} --json`, all, write));
  }
  const write = schemaWriter(checker);
  const errors = { type: "array", items: write(typeOf("ErrorEntry")) };
  const error = object({ type: { const: "error" }, errors }, ["type", "errors"]);
  schemas.set("error.json", document("what a verb that fails prints with --json", error, write));
  const writeFile = schemaWriter(checker);
  const catalogue = writeFile(typeOf("CatalogueDocument"));
  schemas.set("catalogue-file.json", document("catalogue.json of a catalogue", catalogue, writeFile));
  const writeEvent = schemaWriter(checker);
  const events = document(
    "what verbs print with --json while they work",
    writeEvent(typeOf("WorkEvent")),
    writeEvent,
  );
  schemas.set("event.json", events);
  return schemas;
}

function document(title, schema, { definitions }) {
  const sorted = Object.fromEntries([...definitions].sort(([a], [b]) => (a < b ? -1 : 1)));
  const used = usedDefinitions(schema, sorted);
  const all = {
    $schema: "http://json-schema.org/draft-07/schema#",
    title,
    ...schema,
    ...(Object.keys(used).length === 0 ? {} : { definitions: used }),
  };
  return `${JSON.stringify(all, undefined, 1)}\n`;
}

/** The definitions that a schema refers to, and those that these do. */
function usedDefinitions(schema, definitions) {
  const used = new Set();
  const visit = (value) => {
    for (const [, name] of JSON.stringify(value).matchAll(/"#\/definitions\/(\w+)"/g))
      if (!used.has(name)) {
        used.add(name);
        visit(definitions[name]);
      }
  };
  visit(schema);
  return Object.fromEntries(Object.entries(definitions).filter(([name]) => used.has(name)));
}

/** A result, or each of several kinds of results, has its type beside its own fields. */
function ofType(schema, type, write) {
  if (schema.anyOf !== undefined) return { anyOf: schema.anyOf.map((one) => ofType(one, type, write)) };
  if (schema.$ref !== undefined)
    return ofType(write.definitions.get(schema.$ref.slice("#/definitions/".length)), type, write);
  return {
    ...schema,
    properties: { type: { const: type }, ...schema.properties },
    required: ["type", ...(schema.required ?? [])],
  };
}

function object(properties, required) {
  return { type: "object", properties, ...(required.length === 0 ? {} : { required }) };
}

/** Writes types as schemas; those with names of this project's own are written once, as definitions. */
function schemaWriter(checker) {
  const definitions = new Map();
  const names = new Map();

  const write = (type) => {
    const name = ownName(type);
    if (name === undefined) return written(type);
    if (!names.has(type)) {
      let free = name;
      for (let number = 2; definitions.has(free); number++) free = `${name}${number}`;
      names.set(type, free);
      definitions.set(free, {});
      definitions.set(free, written(type));
    }
    return { $ref: `#/definitions/${names.get(type)}` };
  };

  const written = (type) => {
    const { flags } = type;
    if (flags & (TypeFlags.Any | TypeFlags.Unknown | TypeFlags.NonPrimitive)) return {};
    if (flags & TypeFlags.Null) return { type: "null" };
    if (flags & TypeFlags.StringLiteral) return { const: type.value };
    if (flags & TypeFlags.NumberLiteral) return { const: type.value };
    if (flags & TypeFlags.BooleanLiteral) return { const: checker.typeToString(type) === "true" };
    if (flags & TypeFlags.StringLike) return { type: "string" };
    if (flags & TypeFlags.NumberLike) return { type: "number" };
    if (type.isUnion()) return union(type.types.filter(({ flags }) => !(flags & TypeFlags.Undefined)));
    if (type.isIntersection()) {
      // A string or number that is more than any: its mark is not in the JSON.
      const plain = type.types.find(({ flags }) => flags & (TypeFlags.StringLike | TypeFlags.NumberLike));
      if (plain !== undefined) return written(plain);
    }
    if (checker.isTupleType(type)) {
      const items = checker.getTypeArguments(type).map(write);
      return { type: "array", items, minItems: items.length, maxItems: items.length };
    }
    if (checker.isArrayType(type)) return { type: "array", items: write(checker.getTypeArguments(type)[0]) };
    if (flags & (TypeFlags.Object | TypeFlags.Intersection)) return fields(type);
    throw new Error(`${checker.typeToString(type)} has no form in JSON`);
  };

  const union = (types) => {
    if (types.length === 1) return write(types[0]);
    const literals = types.filter(({ flags }) => flags & (TypeFlags.StringLiteral | TypeFlags.NumberLiteral));
    const isBoolean = types.filter(({ flags }) => flags & TypeFlags.BooleanLiteral).length === 2;
    const others = types.filter(
      (type) => !literals.includes(type) && !(isBoolean && type.flags & TypeFlags.BooleanLiteral),
    );
    const all = [
      ...(literals.length === 0 ? [] : [{ enum: literals.map(({ value }) => value).sort() }]),
      ...(isBoolean ? [{ type: "boolean" }] : []),
      ...others.map(write),
    ];
    return all.length === 1 ? all[0] : { anyOf: all };
  };

  const fields = (type) => {
    if (type.getCallSignatures().length > 0 || /^(?:Readonly)?(?:Map|Set)$/.test(type.symbol?.name ?? ""))
      throw new Error(`${checker.typeToString(type)} has no form in JSON`);
    const properties = {};
    const required = [];
    for (const symbol of checker.getPropertiesOfType(type)) {
      const field = checker.getTypeOfSymbol(symbol);
      const parts = field.isUnion() ? field.types : [field];
      if (parts.every(({ flags }) => flags & TypeFlags.Undefined)) continue;
      const isOptional =
        symbol.flags & SymbolFlags.Optional || parts.some(({ flags }) => flags & TypeFlags.Undefined);
      if (!isOptional) required.push(symbol.name);
      properties[symbol.name] = described(write(field), symbol);
    }
    const index = checker.getIndexInfosOfType(type)[0];
    return {
      ...object(properties, required),
      ...(index === undefined ? {} : { additionalProperties: write(index.type) }),
    };
  };

  const described = (schema, symbol) => {
    const description = ts
      .displayPartsToString(symbol.getDocumentationComment(checker))
      .replaceAll(/\s+/g, " ")
      .trim();
    if (description === "") return schema;
    // Beside a reference, readers of this draft see nothing else.
    return schema.$ref === undefined ? { description, ...schema } : { description, allOf: [schema] };
  };

  return Object.assign(write, { definitions });
}

/** The name of a type that this project declares, unless it has parameters. */
function ownName(type) {
  const symbol = type.aliasSymbol ?? (type.flags & TypeFlags.Object ? type.symbol : undefined);
  if (symbol === undefined || type.aliasTypeArguments !== undefined || symbol.name.startsWith("__"))
    return undefined;
  if (type.objectFlags & ObjectFlags.Reference && type.target !== type) return undefined;
  const declared = symbol.declarations?.[0]?.getSourceFile().fileName ?? "";
  return relative(root, declared).startsWith("src/") ? symbol.name : undefined;
}

const folder = join(root, "schema/output");
const schemas = outputSchemas();
if (process.argv.includes("--check")) {
  const found = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]));
  const stale = [...new Set([...schemas.keys(), ...found.keys()])].filter(
    (name) => schemas.get(name) !== found.get(name),
  );
  if (stale.length > 0) {
    console.error(
      `schema/output is not up to date: ${stale.sort().join(", ")}: run node scripts/outputSchemas.mjs`,
    );
    process.exitCode = 1;
  } else console.log(`schema/output: ${schemas.size} schemas are up to date`);
} else {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of schemas) writeFileSync(join(folder, name), text);
  console.log(`schema/output: ${schemas.size} schemas are written`);
}
