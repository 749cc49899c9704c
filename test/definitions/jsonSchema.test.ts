import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { readConfiguration } from "../../src/definitions/configuration.ts";
import { jsonSchema } from "../../src/definitions/jsonSchema.ts";
import { schemaNames } from "../../src/definitions/schemaNames.ts";

const ajv = new Ajv2020({ strict: false, allowUnionTypes: true, validateFormats: false });

describe("the JSON Schema of spacktainers.yaml", () => {
  const validate = ajv.compile(JSON.parse(jsonSchema("spacktainers")));

  it.each([
    { caches: [{ url: "cache", trust: "key.pub" }] },
    { caches: [{ url: "cache", trust: ["key.pub"], unsigned: false }] },
    { caches: [{ url: "S3://cache", unsigned: true, region: "eu", endpoint: "https://s3.example" }] },
    { caches: [{ url: "OCI://host/cache", unsigned: true, push: true }] },
    { caches: [{ url: "https://host/cache", trust: "key.pub", push: false }] },
    { base: { debian: "bookworm", packages: ["dash"], complete: false } },
    { base: { oci: "image", reference: "latest" } },
    { base: { scratch: true } },
  ])("takes what check takes: %j", (configuration) => {
    expect({ said: validate(configuration), errors: validate.errors }).toEqual({ said: true, errors: null });
    expect(problemsOf(configuration)).toEqual([]);
  });

  it.each([
    { caches: ["cache"] },
    { caches: [{ url: "cache" }] },
    { caches: [{ url: "cache", unsigned: false }] },
    { caches: [{ url: "cache", trust: "key.pub", unsigned: true }] },
    { caches: [{ url: "cache", trust: "key.pub", region: "eu" }] },
    { caches: [{ url: "ftp://host/cache", unsigned: true }] },
    { caches: [{ url: "oci://host/cache", trust: "key.pub" }] },
    { caches: [{ url: "oci+http://host/cache", unsigned: true, layout: "v3" }] },
    { caches: [{ url: "oci://host/cache", unsigned: true, sign: "env://KEY" }] },
    { caches: [{ url: "http://host/cache", trust: "key.pub", push: true }] },
    { base: {} },
    { base: { debian: "bookworm", ubuntu: "noble" } },
    { base: { scratch: true, image: "debian:12" } },
    { base: { scratch: true, packages: ["dash"] } },
    { base: { rootfs: "root.tar", complete: true } },
    { base: { debian: "bookworm", reference: "latest" } },
  ])("refuses what check refuses: %j", (configuration) => {
    expect(validate(configuration)).toBe(false);
    expect(problemsOf(configuration)).not.toEqual([]);
  });
});

function problemsOf(configuration: object): readonly string[] {
  const { problems } = readConfiguration(JSON.stringify(configuration), "/nowhere/spacktainers.yaml");
  return problems.errors.map(({ message }) => message);
}

describe("every schema", () => {
  it.each(schemaNames)("is one, and says what it is called: %s", (name) => {
    const schema = JSON.parse(jsonSchema(name));
    expect(ajv.validateSchema(schema)).toBe(true);
    expect(schema.$id).toBe(`https://unpkg.com/spacktainers/schema/${name}.json`);
  });
});
