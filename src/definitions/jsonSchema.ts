/** The JSON Schema of `spacktainers.yaml`, for editors. */
import * as z from "zod";
import { configurationSchema } from "./configurationSchema.ts";

/** The text of `schema/spacktainers.json`. */
export function configurationJsonSchema(): string {
  const schema = z.toJSONSchema(configurationSchema, { io: "input", target: "draft-2020-12" });
  return `${JSON.stringify({ title: "spacktainers.yaml", ...schema }, undefined, 2)}\n`;
}
