import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type JobRequest, makeJob, usualJob } from "../../../src/commands/job/makeJob.ts";
import { ignoreEvents } from "../../../src/util/events.ts";
import { writeEveryForm } from "../../support/everyForm.ts";
import { file } from "../../support/hostImage.ts";

let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "spacktainers-job-"));
  mkdirSync(join(directory, "container_definitions/amd64"), { recursive: true });
  writeFileSync(
    join(directory, "container_definitions/amd64/hello.yaml"),
    "spack:\n  specs: [hello]\ncontainer:\n  mpi: false\n",
  );
  await writeEveryForm(directory, { layers: [[file("hello", "world")]], architecture: "amd64" });
});
afterAll(() => rmSync(directory, { recursive: true }));

function configure(runtime: string, url = "ghcr.io/my-org"): void {
  writeFileSync(
    join(directory, "spacktainers.yaml"),
    `registries:\n- {url: "${url}", repository: "spack-{name}"}\nsites:\n  here: {runtime: ${runtime}}\n`,
  );
}

/** The job that `job IMAGE` makes, its paths without the folder. */
async function jobOf(image: string, more: Partial<JobRequest> = {}) {
  const { job } = await makeJob({
    ...usualJob,
    directory,
    image,
    arch: "amd64",
    site: "here",
    command: ["hello"],
    lookUp: false,
    emit: ignoreEvents,
    signal: new AbortController().signal,
    ...more,
  });
  return { image: job.image.replace(`${directory}/`, ""), plainHttp: job.plainHttp };
}

describe("a registry that speaks plain HTTP", () => {
  it.each([
    ["apptainer", "docker://"],
    ["singularity", "docker://"],
    ["podman", ""],
  ])("is what %s is told of", async (runtime, transport) => {
    configure(runtime, "http://registry.example.org:5000/My-Org");
    const host = "registry.example.org:5000";
    expect(await jobOf("hello")).toEqual({
      image: `${transport}${host}/my-org/spack-hello:latest`,
      plainHttp: true,
    });
    expect(await jobOf(`${host}/tool:1`)).toEqual({ image: `${transport}${host}/tool:1`, plainHttp: true });
    expect((await jobOf("docker://localhost:5001/tool:1")).plainHttp).toBe(true);
    expect((await jobOf("docker://registry.example.org/tool:1")).plainHttp).toBe(false);
    expect((await jobOf("hello", { location: "/images/x.sif" })).plainHttp).toBe(false);
    expect((await jobOf("hello", { location: "docker://$HOST/x" })).plainHttp).toBe(false);
  });
});

describe("the image for the site's runtime", () => {
  it.each([
    ["native", "image", "image"],
    ["native", "oci:image", "image"],
    ["native", "oci-archive:image.tar", "oci-archive:image.tar"],
    ["native", "docker-archive:docker.tar", "docker-archive:docker.tar"],
    ["native", "docker://ghcr.io/org/tool:1", "docker://ghcr.io/org/tool:1"],
    ["native", "oras://ghcr.io/org/tool:1", "oras://ghcr.io/org/tool:1"],
    ["native", "sandbox", "sandbox"],
    ["apptainer", "oci-archive:image.tar", "oci-archive:image.tar"],
    ["apptainer", "oras://ghcr.io/org/tool:1", "oras://ghcr.io/org/tool:1"],
    ["apptainer", "docker://ghcr.io/org/tool:1", "docker://ghcr.io/org/tool:1"],
    ["apptainer", "sandbox", "sandbox"],
    ["podman", "oci-archive:image.tar", "oci-archive:image.tar"],
    ["podman", "docker://ghcr.io/org/tool:1", "ghcr.io/org/tool:1"],
  ])("%s gets %s", async (runtime, image, expected) => {
    configure(runtime);
    expect((await jobOf(image)).image.replace(`${directory}/`, "")).toBe(expected);
  });

  it.each([
    ["sarus", "oci-archive:image.tar"],
    ["sarus", "sandbox"],
    ["podman", "sandbox"],
    ["podman", "oras://ghcr.io/org/tool:1"],
  ])("%s gets no %s", async (runtime, image) => {
    configure(runtime);
    await expect(jobOf(image)).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  });

  it("is what was pulled, where the site does not name a place for images", async () => {
    configure("apptainer");
    mkdirSync(join(directory, "hello.sif/.singularity.d"), { recursive: true });
    expect((await jobOf("hello")).image).toBe("hello.sif");
    configure("podman");
    expect((await jobOf("hello")).image).toBe("ghcr.io/my-org/spack-hello:latest");
    rmSync(join(directory, "hello.sif"), { recursive: true });
  });
});
