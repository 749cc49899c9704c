import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { listNames } from "../../../src/commands/names/listNames.ts";

const root = mkdtempSync(join(tmpdir(), "spacktainers-names-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
write(
  "spacktainers.yaml",
  "spacktainers: 1\ncaches: [{ url: s3://one, unsigned: true }]\nsites: { jed: {} }\n",
);
write("sites/eiger.yaml", "{}\n");
for (const path of ["amd64/b", "arm64/b", "amd64/a", "amd64/_parked/c"])
  write(`container_definitions/${path}/spack.yaml`, "spack:\n  specs: [zlib]\n");
write("container_definitions/amd64/broken/spack.yaml", "spack: [\n");

describe("names of a repository", () => {
  it("are those of containers, each once, whatever is in their definitions", async () => {
    expect(await listNames(root, "containers")).toEqual(["a", "b", "broken", "c"]);
    expect(await listNames(join(root, "container_definitions"), "containers")).toContain("a");
  });

  it("are those of sites in either place, and of build caches", async () => {
    expect(await listNames(root, "sites")).toEqual(["eiger", "jed"]);
    expect(await listNames(root, "caches")).toEqual(["s3://one"]);
  });
});
