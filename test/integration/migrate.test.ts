import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { writeOriginalRepository } from "../support/originalRepository.ts";
import { demo, key, type Migrated, migrate, said, trouble, work, write } from "./migrated.ts";

describe("migrate of a repository of the original's shape", () => {
  let result: Migrated;
  let lines: readonly string[];
  beforeAll(async () => {
    writeOriginalRepository(work.path("original"));
    result = await migrate("original");
    lines = said(result, "original");
  });

  it("adds a configuration, and leaves every file as it was", () => {
    expect(result.kind).toBe("repository");
    expect(result.created).toEqual(expect.arrayContaining(["spacktainers.yaml", "schema/spacktainers.json"]));
    expect(result.kept).toEqual(["README.md"]);
    expect(readFileSync(work.path("original/README.md"), "utf8")).toBe("# Ours\n");
    const configuration = readFileSync(work.path("original/spacktainers.yaml"), "utf8");
    expect(configuration).toContain("ubuntu: noble");
    expect(configuration).toContain("gdb");
    expect(configuration).toContain("ref: v0.23.1");
    expect(configuration).toContain("path: mine/repo-patches");
    expect(configuration).toContain("ghcr.io/my-org");
    expect(configuration).toContain("epilogue: { network: true }");
  });

  it("takes folders, flat files, definition files, epilogues and parked ones", () => {
    for (const line of [
      "taken container_definitions/amd64/tracer/spack.yaml:1 amd64/tracer: a folder",
      "taken container_definitions/amd64/flat-tools.yaml:1 amd64/flat-tools: a flat file",
      "taken container_definitions/amd64/storage.def:1 amd64/storage: a definition file of Apptainer",
      "taken container_definitions/amd64/solver/Dockerfile.epilogue:1 amd64/solver: its Dockerfile.epilogue",
    ])
      expect(lines).toContain(line);
    expect(lines.some((line) => line.includes("arm64/registry: a folder, parked"))).toBe(true);
  });

  it("says what is left to do, with file and line", () => {
    const todo = lines.filter((line) => line.startsWith("todo"));
    const workflow = ".github/workflows/application-containers.yml";
    expect(todo).toEqual(
      expect.arrayContaining([
        expect.stringContaining(
          `${workflow}:7 the matrix names solvr, which has no definition: did you mean`,
        ),
        expect.stringContaining(`${workflow}:11 the secret SPACK_DEPLOYMENT_KEY_PUB`),
        expect.stringContaining(`${workflow}:12 the secret SOMETHING_ELSE is not known`),
        expect.stringContaining(`${workflow}:10 s3://my-build-cache`),
        expect.stringMatching(/^todo container_definitions\/amd64\/broken\/spack\.yaml:3 expected a version/),
      ]),
    );
    expect(lines).toContainEqual(
      expect.stringContaining("changed builder/Dockerfile:14 the signing key is copied into a layer"),
    );
  });

  it("does the same in another folder, with the definitions", async () => {
    const copied = await migrate("original", "--into", "copied");
    expect(copied.created).toEqual(
      expect.arrayContaining(["spacktainers.yaml", "container_definitions/_arm64/registry/spack.yaml"]),
    );
    const listed = await work.run(["list", "-C", "copied"]);
    expect(listed.stdout).toContain("flat-tools");
  });

  it("says what the caches have of it", async () => {
    const built = await migrate("original", "--into", "with-cache", "--cache", demo, "--trust", key);
    const state = Object.fromEntries(built.containers.map(({ name, caches }) => [name, caches?.state]));
    expect(state).toMatchObject({
      tracer: "complete",
      solver: "complete",
      "flat-tools": "complete",
      broken: "incomplete",
    });
    expect(built.containers.find(({ name }) => name === "broken")).toMatchObject({ errors: 1 });
    expect(built.containers.find(({ name }) => name === "tracer")).toMatchObject({ errors: 0 });
  });

  it("does not say that a parked one is built", () => {
    const [line] = lines.filter((one) => one.includes("find all definitions"));
    expect(line).toMatch(/these too: broken, solver, storage;/);
  });

  it.skipIf(trouble !== undefined)(
    `gives containers that build, or name why not (${trouble ?? "Debian archive"})`,
    async () => {
      const source = work.path("on-debian");
      writeOriginalRepository(source);
      // Ubuntu's archive is not everywhere; a debugger is a large download.
      write("on-debian", {
        "runtime/Dockerfile": readFileSync(join(source, "runtime/Dockerfile"), "utf8")
          .replace("ubuntu:24.04", "debian:bookworm")
          .replace(" binutils gdb", ""),
        "container_definitions/amd64/solver/Dockerfile.epilogue":
          "RUN mpiexec --version > /etc/solver\nCOPY --chmod=755 scripts/start /usr/local/bin/\n",
        "container_definitions/amd64/solver/scripts/start": "#!/bin/sh\ncat /etc/solver\n",
      });
      await migrate("on-debian", "--into", "on-debian-out", "--cache", demo, "--trust", key);
      const build = (name: string): ReturnType<typeof work.run> =>
        work.run(["build", "-C", "on-debian-out", name, "--no-compile"]);
      for (const name of ["tracer", "flat-tools", "solver"]) {
        const built = await build(name);
        expect(built.status, built.stderr).toBe(0);
      }
      const started = await work.run(
        ["run", "-C", "on-debian-out", "--with", "namespace", "solver", "--", "start"],
        { cwd: work.directory },
      );
      expect(started.stdout, started.stderr).toContain("HYDRA");
      const broken = await build("broken");
      expect(broken.status).toBe(3);
      expect(broken.stderr).toMatch(/broken\/spack\.yaml:3:10 .*expected a version after @/);
      const parked = await build("registry");
      expect(parked.status).not.toBe(0);
      expect(parked.stderr).toMatch(/py-registry|parked/);
    },
  );
});
