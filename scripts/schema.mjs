// Writes the JSON Schemas for editors, of spacktainers.yaml, sites and smoke tests, from the schemas the program itself uses.
// With --check it only says whether the files are up to date. Reads build/: run `npm run build` first.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configurationJsonSchema, siteJsonSchema, testsJsonSchema } from "../build/definitions/jsonSchema.js";

const schemas = {
  "spacktainers.json": configurationJsonSchema(),
  "site.json": siteJsonSchema(),
  "test.json": testsJsonSchema(),
};
for (const [name, text] of Object.entries(schemas)) {
  const path = join(import.meta.dirname, "../schema", name);
  if (!process.argv.includes("--check")) {
    writeFileSync(path, text);
    console.log(`schema/${name} is written`);
  } else if (readFileSync(path, "utf8") === text) console.log(`schema/${name} is up to date`);
  else {
    console.error(`schema/${name} is not up to date: run node scripts/schema.mjs`);
    process.exitCode = 1;
  }
}
