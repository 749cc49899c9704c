import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { namesRegistryImage } from "../../../src/pipeline/images/publishedReference.ts";

describe("the name of an image", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "spacktainers-name-"));
    mkdirSync(join(folder, "my.images/one"), { recursive: true });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    "docker://alpine",
    "ghcr.io/a/b:1",
    "localhost/a",
    "localhost:5000/a",
    "registry:5000/a@sha256:00",
    "[::1]:5000/a",
    "127.0.0.1:5000/a",
  ])("is one in a registry: %s", async (name) => {
    expect(await namesRegistryImage(folder, name)).toBe(true);
  });

  it.each([
    "hello-mpi",
    "amd64/hello-mpi",
    "oci:dist/amd64/hello-mpi",
    "oci:/srv/images/one",
    "oci:./one",
    "./one",
    "../one/two",
    "/srv/images/one.two",
    "my.images/one",
  ])("is none in a registry: %s", async (name) => {
    expect(await namesRegistryImage(folder, name)).toBe(false);
  });
});
