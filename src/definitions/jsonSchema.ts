/** The JSON Schemas of `spacktainers.yaml`, of sites and of smoke tests, for editors. */
import * as z from "zod";
import { archiveSettings, baseKinds } from "./configurationProblems.ts";
import { configurationSchema } from "./configurationSchema.ts";
import type { SchemaName } from "./schemaNames.ts";
import { baseRules, cacheRules, type SchemaPart } from "./schemaRules.ts";
import { siteSchema } from "./siteSchema.ts";
import { testsSchema } from "./testsSchema.ts";

/** Text of a schema: JSON. */
export function jsonSchema(name: SchemaName): string {
  if (name === "site") return siteJsonSchema();
  return name === "test" ? testsJsonSchema() : configurationJsonSchema();
}

/** The text of `schema/spacktainers.json`. */
export function configurationJsonSchema(): string {
  const schema = z.toJSONSchema(configurationSchema(), { io: "input", target: "draft-2020-12" });
  const { base, caches, ...properties } = (schema.properties ?? {}) as Record<string, SchemaPart>;
  // `check` says of a bare URL what is missing; the schema does not have it.
  const { items, ...list } = caches as SchemaPart & { items: { anyOf: readonly SchemaPart[] } };
  const cache = items.anyOf.find(({ type }) => type === "object");
  return textOf("spacktainers", "spacktainers.yaml", {
    ...schema,
    properties: {
      ...properties,
      caches: { ...list, items: { ...cache, ...cacheRules } },
      base: { ...base, ...baseRules(baseKinds, archiveSettings) },
    },
  });
}

/** The text of `schema/site.json`. */
export function siteJsonSchema(): string {
  return textOf(
    "site",
    "sites/*.yaml",
    z.toJSONSchema(siteSchema(), { io: "input", target: "draft-2020-12" }),
  );
}

/** The text of `schema/test.json`. */
export function testsJsonSchema(): string {
  return textOf("test", "test.yaml", z.toJSONSchema(testsSchema(), { io: "input", target: "draft-2020-12" }));
}

/** Where a schema is published: with the package. */
function idOf(name: SchemaName): string {
  return `https://unpkg.com/spacktainers/schema/${name}.json`;
}

function textOf(name: SchemaName, title: string, schema: SchemaPart): string {
  return `${JSON.stringify({ $id: idOf(name), title, ...schema }, undefined, 2)}\n`;
}
