// Writes schema/spacktainers.json, the JSON Schema of spacktainers.yaml for editors, from the schema the program itself uses.
// With --check it only says whether the file is up to date. Reads build/: run `npm run build` first.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configurationJsonSchema } from "../build/definitions/jsonSchema.js";

const path = join(import.meta.dirname, "../schema/spacktainers.json");
const text = configurationJsonSchema();
if (!process.argv.includes("--check")) {
  writeFileSync(path, text);
  console.log("schema/spacktainers.json is written");
} else if (readFileSync(path, "utf8") === text) console.log("schema/spacktainers.json is up to date");
else {
  console.error("schema/spacktainers.json is not up to date: run node scripts/schema.mjs");
  process.exit(1);
}
