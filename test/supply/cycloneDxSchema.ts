/** The published JSON schema of CycloneDX 1.6, which comes with the CycloneDX library. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Ajv } from "ajv";
import formats from "ajv-formats";

const packageFile = createRequire(import.meta.url).resolve("@cyclonedx/cyclonedx-library/package.json");
const schema = (name: string): object =>
  JSON.parse(readFileSync(join(dirname(packageFile), "res/schema", `${name}.SNAPSHOT.schema.json`), "utf8"));

let compiled: ReturnType<Ajv["compile"]> | undefined;

/** Compiling the schema takes a second: once. */
function validator(): ReturnType<Ajv["compile"]> {
  if (compiled !== undefined) return compiled;
  const ajv = new Ajv({ allErrors: true, strict: false });
  (formats as unknown as { default: (ajv: Ajv) => void }).default(ajv);
  ajv.addFormat("iri-reference", /^\S*$/);
  ajv.addFormat("idn-email", /^\S+@\S+$/);
  for (const name of ["jsf-0.82", "spdx"])
    ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  compiled = ajv.compile(schema("bom-1.6"));
  return compiled;
}

/** What is wrong with a document; empty when it is valid. */
export function cycloneDxProblems(document: unknown): readonly string[] {
  const validate = validator();
  validate(document);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
