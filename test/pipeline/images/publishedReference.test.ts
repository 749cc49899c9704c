import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { publishedReference } from "../../../src/pipeline/images/publishedReference.ts";
import { openSoundRepository } from "../../../src/pipeline/workspace/workspace.ts";
import { writeEveryForm } from "../../support/everyForm.ts";
import { file } from "../../support/hostImage.ts";

let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "spacktainers-published-"));
  mkdirSync(join(directory, "container_definitions/amd64"), { recursive: true });
  writeFileSync(
    join(directory, "container_definitions/amd64/hello.yaml"),
    "spack:\n  specs: [hello]\ncontainer:\n  mpi: false\n",
  );
  writeFileSync(
    join(directory, "spacktainers.yaml"),
    'registries:\n- {url: "ghcr.io/My-Org", tags: ["{version}", stable]}\n',
  );
  await writeEveryForm(directory, { layers: [[file("hello", "world")]], architecture: "amd64" });
});
afterAll(() => rmSync(directory, { recursive: true }));

const find = async (image: string) =>
  publishedReference({ directory, image, arch: undefined }, await openSoundRepository(directory));

it.each([
  ["docker://ghcr.io/org/tool:1", "ghcr.io/org/tool:1"],
  ["oras://ghcr.io/org/tool:1", "ghcr.io/org/tool:1"],
  ["ghcr.io/org/tool:1", "ghcr.io/org/tool:1"],
  ["localhost:5000/tool", "localhost:5000/tool:latest"],
])("%s is %s", async (image, text) => {
  expect((await find(image)).text).toBe(text);
});

it("a container is in the first registry, by a tag that no version decides", async () => {
  expect((await find("hello")).text).toBe("ghcr.io/my-org/hello:stable");
});

it.each([
  ["oci:image", /push it/],
  ["image", /push it/],
  ["oci-archive:image.tar", /push it/],
  ["docker-archive:docker.tar", /push it/],
  ["sandbox", /sif verify/],
])("%s is in no registry, and what is to be done instead is said", async (image, hint) => {
  await expect(find(image)).rejects.toMatchObject({
    code: "NOT_SUPPORTED",
    hint: expect.stringMatching(hint),
  });
});
