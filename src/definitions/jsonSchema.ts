/** The JSON Schemas of `spacktainers.yaml`, of sites and of smoke tests, for editors. */
import * as z from "zod";
import { configurationSchema } from "./configurationSchema.ts";
import { siteSchema } from "./siteSchema.ts";
import { testsSchema } from "./testsSchema.ts";

/** The text of `schema/spacktainers.json`. */
export function configurationJsonSchema(): string {
  const schema = z.toJSONSchema(configurationSchema(), { io: "input", target: "draft-2020-12" });
  return `${JSON.stringify({ title: "spacktainers.yaml", ...schema }, undefined, 2)}\n`;
}

/** The text of `schema/site.json`. */
export function siteJsonSchema(): string {
  const schema = z.toJSONSchema(siteSchema(), { io: "input", target: "draft-2020-12" });
  return `${JSON.stringify({ title: "sites/*.yaml", ...schema }, undefined, 2)}\n`;
}

/** The text of `schema/test.json`. */
export function testsJsonSchema(): string {
  const schema = z.toJSONSchema(testsSchema(), { io: "input", target: "draft-2020-12" });
  return `${JSON.stringify({ title: "test.yaml", ...schema }, undefined, 2)}\n`;
}
