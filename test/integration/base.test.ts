/** `base`: the builder and runtime images, with a stand-in for the program that makes them. */
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { demoRepository, makeWorkplace, type Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";

describe("base", () => {
  let work: Workplace;
  beforeEach(() => {
    work = makeWorkplace(
      `base: {ubuntu: "24.04"}
spack:
  url: https://example.invalid/spack.git
  ref: v1.1.0
  repos:
    - {url: https://example.invalid/recipes.git, ref: main, paths: [a, b]}
registries:
  - {type: ghcr, url: ghcr.io/My-Org, repository: "spack-{name}"}
  - {type: ecr, url: 1.dkr.ecr.us-east-1.amazonaws.com, repository: "spacktainers/{name}"}
`,
    );
    mkdirSync(work.path("bin"));
    for (const name of ["builder", "runtime"])
      cpSync(join(demoRepository, name), work.path(name), { recursive: true });
    writeFileSync(
      work.path("bin/podman"),
      `#!/bin/sh\nprintf '%s\\n' "$*" >> ${work.path("calls")}\ncase "$*" in *broken*) echo it broke >&2; exit 3;; *inspect*) echo '[{"Id":"abc","Created":"2026-01-01T00:00:00Z"}]';; esac\n`,
    );
    chmodSync(work.path("bin/podman"), 0o755);
  });
  afterEach(() => work.remove());

  const run = (...args: readonly string[]) =>
    work.run(["base", ...args], { env: { PATH: `${work.path("bin")}:${process.env.PATH ?? ""}` } });
  const calls = () => readFileSync(work.path("calls"), "utf8").trimEnd().split("\n");

  it("makes both images, as configured", async () => {
    const { status, stdout, stderr } = await run("build", "--build-arg", "EXTRA=1");
    expect(status, stderr).toBe(0);
    expect(stdout).toBe("local_builder  by podman\nlocal_runtime  by podman\n");
    expect(calls()).toEqual([
      [
        `build --format=docker --tag local_builder --file ${work.path("builder/Dockerfile")}`,
        "--build-arg BASE_IMAGE=docker.io/library/ubuntu:24.04",
        "--build-arg SPACK_URL=https://example.invalid/spack.git --build-arg SPACK_BRANCH=v1.1.0",
        "--build-arg REPOS=https://github.com/spack/spack-packages.git@119680aeee8ea802c6111b7167583bddef97e82f:repos/spack_repo/builtin https://example.invalid/recipes.git@main:a https://example.invalid/recipes.git@main:b",
        `--build-arg TARGET=x86_64_v3 --build-arg EXTRA=1 ${work.path("builder")}`,
      ].join(" "),
      `build --format=docker --tag local_runtime --file ${work.path("runtime/Dockerfile")} --build-arg BASE_IMAGE=docker.io/library/ubuntu:24.04 --build-arg EXTRA=1 ${work.path("runtime")}`,
    ]);
  });

  it("publishes them by the names of each registry", async () => {
    const { status, stdout, stderr } = await run("push", "builder");
    expect(status, stderr).toBe(0);
    expect(stdout).toBe(
      "ghcr.io/my-org/spack-builder:latest\n1.dkr.ecr.us-east-1.amazonaws.com/spacktainers/builder:latest\n",
    );
    expect(calls()[0]).toBe("push --format=v2s2 local_builder docker://ghcr.io/my-org/spack-builder:latest");
  });

  it("lists those of this machine", async () => {
    const listed = jsonLines(
      await work.run(["--json", "base", "list"], {
        env: { PATH: `${work.path("bin")}:${process.env.PATH ?? ""}` },
      }),
    );
    expect(listed).toMatchObject([
      { tag: "local_builder", id: "abc", created: "2026-01-01T00:00:00Z", tool: "podman" },
      { tag: "local_runtime", id: "abc" },
    ]);
  });

  it("says what the program says when it fails", async () => {
    const { status, stderr } = await run("build", "runtime", "--build-arg", "X=broken");
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /runtime\/Dockerfile {2}error {2}PROCESS_FAILED {2}podman could not make local_runtime: it broke/,
    );
  });

  it("knows no other images", async () => {
    const { status, stderr } = await run("build", "bulder");
    expect(status).toBe(2);
    expect(stderr).toMatch(/no base image bulder/);
  });
});
