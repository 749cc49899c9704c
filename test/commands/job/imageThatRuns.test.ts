import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { imageThatRuns } from "../../../src/commands/job/imageThatRuns.ts";
import type { Repository } from "../../../src/definitions/repository.ts";
import { findImage, type ImageSubject } from "../../../src/pipeline/images/findImage.ts";
import { openSoundRepository } from "../../../src/pipeline/workspace/workspace.ts";
import { squashfsTrouble, writeEveryForm } from "../../support/everyForm.ts";
import { file } from "../../support/hostImage.ts";

let directory: string;
let repository: Repository;
let published: ImageSubject;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "spacktainers-that-runs-"));
  mkdirSync(join(directory, "container_definitions/amd64"), { recursive: true });
  writeFileSync(join(directory, "container_definitions/amd64/tool.yaml"), "spack:\n  specs: [hello]\n");
  writeFileSync(
    join(directory, "spacktainers.yaml"),
    'registries:\n- {url: "ghcr.io/my-org", repository: "spack-{name}"}\n',
  );
  await writeEveryForm(directory, { layers: [[file("hello", "world")]], architecture: "amd64" });
  repository = await openSoundRepository(directory);
  published = await findImage("tool", repository, { directory, arch: "amd64" });
});
afterAll(() => rmSync(directory, { recursive: true }));

const examined = (location: string, subject = published) =>
  imageThatRuns(subject, location, repository, { directory, arch: "amd64" });

describe("the image that is examined for a job", () => {
  it("is what the first registry has, where the job runs that", async () => {
    expect(published).toMatchObject({ found: "published", form: { kind: "reference" } });
    const name = published.form?.kind === "reference" ? published.form.name : "";
    expect(await examined(`docker://${name}`)).toEqual({ subject: published, runsOther: false });
    expect(await examined(name)).toEqual({ subject: published, runsOther: false });
  });

  it.each(["docker://site.example.org/sw/tool:2", "site.example.org/sw/tool:2"])(
    "is what the site names: %s",
    async (location) => {
      expect(await examined(location)).toMatchObject({
        subject: {
          name: "tool",
          container: { name: "tool" },
          form: { kind: "reference", transport: "docker", name: "site.example.org/sw/tool:2" },
        },
        runsOther: false,
      });
    },
  );

  const trouble = squashfsTrouble();
  it.skipIf(trouble !== undefined)(
    `is a file of the site that is here, even where the container is built here${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
    async () => {
      const path = join(directory, "image.sif");
      for (const found of ["published", "built"] as const)
        expect(await examined(path, { ...published, found })).toMatchObject({
          subject: { form: { kind: "local", path } },
          runsOther: false,
        });
    },
  );

  it.each(["/gpfs/nowhere/tool.sif", "$WORK/tool.sif"])("cannot be %s, which is said", async (location) => {
    expect(await examined(location)).toEqual({ subject: published, runsOther: true });
  });

  it("is what is built here, which will be what a registry has", async () => {
    const built = { ...published, found: "built" } as const;
    expect(await examined("docker://site.example.org/sw/tool:2", built)).toEqual({
      subject: built,
      runsOther: false,
    });
  });
});
