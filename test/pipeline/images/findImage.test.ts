import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hostArchitecture } from "../../../src/definitions/hostArchitecture.ts";
import {
  findImage,
  formText,
  namesRegistryImage,
  pulledFile,
} from "../../../src/pipeline/images/findImage.ts";
import { openSoundRepository } from "../../../src/pipeline/workspace/workspace.ts";
import { file, writeTestLayout } from "../../support/hostImage.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spacktainers-find-"));
  for (const arch of ["amd64", "arm64"])
    mkdirSync(join(directory, "container_definitions", arch), { recursive: true });
  define("amd64", "hello");
  writeFileSync(
    join(directory, "spacktainers.yaml"),
    'registries:\n- {url: "ghcr.io/my-org", repository: "spack-{name}"}\n',
  );
});
afterEach(() => rmSync(directory, { recursive: true }));

function define(arch: string, name: string): void {
  writeFileSync(
    join(directory, "container_definitions", arch, `${name}.yaml`),
    "spack:\n  specs: [hello]\ncontainer:\n  mpi: false\n",
  );
}

async function find(text: string, arch?: string) {
  const repository = await openSoundRepository(directory);
  const subject = await findImage(text, repository, { directory, arch });
  const form = subject.form && formText(subject.form).replace(`${directory}/`, "");
  return { name: subject.name, container: subject.container?.arch, found: subject.found, form };
}

const layout = (path: string) => writeTestLayout(join(directory, path), { layers: [[file("a", "b")]] });
const sandbox = (path: string) => mkdirSync(join(directory, path, ".singularity.d"), { recursive: true });

describe("a container", () => {
  it("is what is built, else what was pulled, else what is published", async () => {
    const hello = { name: "hello", container: "amd64" };
    expect(await find("hello")).toEqual({
      ...hello,
      found: "published",
      form: "docker://ghcr.io/my-org/spack-hello:latest",
    });
    // What pull writes, and a directory as good as it.
    expect(pulledFile(directory, "hello")).toBe(join(directory, "hello.sif"));
    writeFileSync(join(directory, "hello.sif"), "hsqs");
    expect(await find("hello")).toEqual({ ...hello, found: "pulled", form: "hello.sif" });
    await layout("dist/amd64/hello");
    expect(await find("hello")).toEqual({ ...hello, found: "built", form: "oci:dist/amd64/hello" });
  });

  it("has no form without a build and a registry", async () => {
    writeFileSync(join(directory, "spacktainers.yaml"), "{}\n");
    expect(await find("hello")).toMatchObject({ container: "amd64", form: undefined });
  });

  it("is the one for this machine when there is one for each architecture", async () => {
    define("arm64", "hello");
    expect((await find("hello")).container).toBe(hostArchitecture());
    expect((await find("hello", "arm64")).container).toBe("arm64");
    expect((await find("arm64/hello")).container).toBe("arm64");
  });

  it("is asked for again when several are meant", async () => {
    define("amd64", "hell");
    await expect(find("hell*")).rejects.toMatchObject({ code: "USAGE" });
  });

  it("that is not known is named with the nearest one", async () => {
    await expect(find("helo")).rejects.toMatchObject({
      code: "UNKNOWN_CONTAINER",
      hint: expect.stringContaining("hello"),
    });
  });
});

describe("another image", () => {
  it.each([
    ["oci:some/where", "oci:some/where", "where"],
    ["oci:some/where:1.0", "oci:some/where:1.0", "where"],
    ["oci-archive:x.oci.tar", "oci-archive:x.oci.tar", "x"],
    ["docker-archive:x.tar:a/b:1", "docker-archive:x.tar:a/b:1", "x"],
    ["docker://ghcr.io/org/tool:1", "docker://ghcr.io/org/tool:1", "tool"],
    ["oras://ghcr.io/org/tool:1", "oras://ghcr.io/org/tool:1", "tool"],
    ["ghcr.io/org/tool:1", "docker://ghcr.io/org/tool:1", "tool"],
    ["localhost:5000/tool", "docker://localhost:5000/tool", "tool"],
  ])("%s is named by its form", async (text, form, name) => {
    expect(await find(text)).toEqual({ name, container: undefined, found: "said", form });
  });

  it("is found by what lies at its path", async () => {
    await layout("there");
    sandbox("box");
    writeFileSync(join(directory, "x.squashfs"), "hsqs");
    const said = { container: undefined, found: "said" };
    expect(await find("there")).toEqual({ ...said, name: "there", form: "oci:there" });
    expect(await find("./there")).toEqual({ ...said, name: "there", form: "oci:there" });
    expect(await find("box")).toEqual({ ...said, name: "box", form: "box" });
    expect(await find("x.squashfs")).toEqual({ ...said, name: "x", form: "x.squashfs" });
    // A path in place of a host.
    mkdirSync(join(directory, "a.b"));
    await layout("a.b/c");
    expect(await find("a.b/c")).toMatchObject({ form: "oci:a.b/c" });
  });

  it("that a path has is no container of that name", async () => {
    await layout("hello");
    expect(await find("hello")).toMatchObject({ container: undefined, form: "oci:hello" });
  });

  it("says what a file is that is none", async () => {
    writeFileSync(join(directory, "x.tar"), "");
    await expect(find("x.tar")).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
      hint: expect.stringContaining("oci-archive:x.tar or docker-archive:x.tar"),
    });
    writeFileSync(join(directory, "broken.sif"), "");
    expect(await find("broken.sif")).toMatchObject({ form: "broken.sif" });
    expect(await find("elsewhere.sif")).toMatchObject({ form: undefined });
  });
});

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
