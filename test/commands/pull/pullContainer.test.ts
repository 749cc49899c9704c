import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type PullRequest, pullContainer } from "../../../src/commands/pull/pullContainer.ts";
import { ignoreEvents } from "../../../src/util/events.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spacktainers-pull-"));
  mkdirSync(join(directory, "container_definitions/amd64"), { recursive: true });
  writeFileSync(
    join(directory, "container_definitions/amd64/hello.yaml"),
    "spack:\n  specs: [hello]\ncontainer:\n  mpi: false\n",
  );
  const programs = join(directory, "programs");
  mkdirSync(programs);
  for (const name of ["apptainer", "podman", "sarus"])
    writeFileSync(join(programs, name), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  vi.stubEnv("PATH", programs);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

function configure(url: string): void {
  writeFileSync(join(directory, "spacktainers.yaml"), `registries:\n- {url: "${url}"}\n`);
}

/** The command line that would be run. */
async function commandLine(image: string, more: Partial<PullRequest> = {}): Promise<string> {
  const lines: string[] = [];
  await pullContainer({
    directory,
    image,
    arch: undefined,
    tag: undefined,
    runtime: "apptainer",
    file: undefined,
    force: false,
    plainHttp: false,
    registryCredentials: undefined,
    print: (line) => lines.push(line),
    emit: ignoreEvents,
    signal: new AbortController().signal,
    ...more,
  });
  return lines.join("\n").replaceAll(`${directory}/`, "");
}

describe("plain HTTP", () => {
  it("is spoken with a registry whose URL begins with http://", async () => {
    configure("http://registry.example.org:5000/my-org");
    expect(await commandLine("hello")).toContain(" pull --no-https ");
    expect(await commandLine("hello", { runtime: "podman" })).toContain(" pull --tls-verify=false ");
    expect(await commandLine("registry.example.org:5000/else/where:1")).toContain("--no-https");
    expect(await commandLine("registry.example.org/else/where:1")).not.toContain("--no-https");
  });

  it("is spoken with a registry on this machine, unless its URL begins with https://", async () => {
    expect(await commandLine("localhost:5000/hello")).toContain("--no-https");
    expect(await commandLine("127.0.0.1:5000/hello", { runtime: "podman" })).toContain("--tls-verify=false");
    configure("https://localhost:5000");
    expect(await commandLine("hello")).not.toContain("--no-https");
    expect(await commandLine("hello", { plainHttp: true })).toContain("--no-https");
  });

  it("is a matter of the site's configuration for Sarus, which refuses only when asked for it", async () => {
    expect(await commandLine("localhost:5000/hello", { runtime: "sarus" })).toMatch(
      / pull localhost:5000\/hello:latest$/,
    );
    await expect(
      commandLine("localhost:5000/hello", { runtime: "sarus", plainHttp: true }),
    ).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  });
});

describe("the image", () => {
  it("is a container, a name in a registry, or a SIF file in one", async () => {
    configure("ghcr.io/my-org");
    expect(await commandLine("hello")).toMatch(/ pull hello\.sif docker:\/\/ghcr\.io\/my-org\//);
    for (const image of ["ghcr.io/org/tool:1", "docker://ghcr.io/org/tool:1"])
      expect(await commandLine(image)).toMatch(/ pull tool\.sif docker:\/\/ghcr\.io\/org\/tool:1$/);
    expect(await commandLine("oras://ghcr.io/org/tool:1")).toMatch(/ pull tool\.sif oras:\/\/ghcr\.io/);
  });

  it("is in a registry: of others it is said what takes them", async () => {
    writeFileSync(join(directory, "x.sif"), "");
    for (const image of ["oci:layout", "oci-archive:x.tar", "docker-archive:x.tar", "x.sif"])
      await expect(commandLine(image)).rejects.toMatchObject({
        code: "NOT_SUPPORTED",
        hint: expect.stringMatching(/docker:\/\/NAME or oras:\/\/NAME; run and exec take/),
      });
  });

  it("has the tag of its name: --tag is for a container", async () => {
    configure("ghcr.io/my-org");
    expect(await commandLine("hello", { tag: "V2" })).toContain("hello:V2");
    await expect(commandLine("ghcr.io/org/tool:1", { tag: "V2" })).rejects.toMatchObject({ code: "USAGE" });
  });
});
