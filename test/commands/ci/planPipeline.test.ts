/** Which containers a change concerns, in a git repository with every way in which a definition can use other files. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { planPipeline } from "../../../src/commands/ci/planPipeline.ts";
import { commandExists } from "../../support/commandExists.ts";

const spec = (specs: string, more = ""): string => `spack:\n  specs: [${specs}]\n${more}`;

const files: Readonly<Record<string, string>> = {
  "spacktainers.yaml": "base: { debian: bookworm }\nepilogue: { args: { A: x } }\n",
  "README.md": "words\n",
  "builder/Dockerfile": "FROM scratch\n",
  "runtime/Dockerfile": "FROM scratch\n",
  "common/packages.yaml": "packages: {}\n",
  "c/amd64/plain/spack.yaml": spec("zlib"),
  "c/amd64/includes/spack.yaml": spec(
    "zlib",
    "  include: [../../../common/packages.yaml, { path: extra.yaml, optional: true }]\n",
  ),
  "c/amd64/epilogue/spack.yaml": spec("zlib"),
  "c/amd64/epilogue/Dockerfile.epilogue": "COPY files/a /a\nRUN true\n",
  "c/amd64/epilogue/files/a": "a\n",
  "c/amd64/epilogue/other": "not copied\n",
  "c/amd64/environment/spack.yaml": spec("zlib", "  include_concrete: [../plain]\n"),
  "c/amd64/flat.yaml": spec("zlib"),
  "c/amd64/image.def": "Bootstrap: docker\nFrom: debian:12\n%files\n  data.txt /data.txt\n",
  "c/amd64/data.txt": "data\n",
  "c/arm64/plain/spack.yaml": spec("zlib"),
};

describe.skipIf(!commandExists("git"))("planPipeline (needs git)", () => {
  let root: string;
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const git = (...args: readonly string[]): string =>
    execFileSync(
      "git",
      ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgSign=false", ...args],
      {
        cwd: root,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      },
    ).trim();

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "spacktainers-ci-test-"));
    for (const [path, text] of Object.entries(files)) write(path, text);
    write("spacktainers.yaml", `definitions: c\n${files["spacktainers.yaml"]}`);
    git("init", "--quiet", "--initial-branch=main");
    git("add", "--all");
    git("commit", "--quiet", "--message", "first");
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const plan = (
    since: string | null = "HEAD",
    arch: "amd64" | "arm64" = "amd64",
    names: readonly string[] = [],
  ) =>
    planPipeline({
      directory: root,
      names,
      arch,
      since: since ?? undefined,
      bases: "changed",
      building: {
        allowed: false,
        solve: false,
        fresh: false,
        onFailure: "finish",
        atOnce: undefined,
        onlyDependencies: false,
        until: undefined,
        executor: undefined,
        builder: undefined,
      },
      stages: 4,
      output: undefined,
      caches: [],
      trust: [],
      refresh: false,
      jobs: undefined,
      emit: () => {},
      signal: new AbortController().signal,
    });
  const changed = async (): Promise<Readonly<Record<string, readonly string[]>>> =>
    Object.fromEntries((await plan()).containers.map(({ name, reasons }) => [name, reasons]));

  it("finds nothing where nothing changed, or nothing that decides a container", async () => {
    expect(await changed()).toEqual({});
    write("README.md", "other words\n");
    write("c/amd64/epilogue/other", "still not copied\n");
    write(
      "spacktainers.yaml",
      `# a comment\ndefinitions: c\nbase: { debian: bookworm, complete: true }\nepilogue: { args: { A: x } }\nci: { stages: 2 }\n`,
    );
    const { containers, bases, unchanged } = await plan();
    expect({ containers, bases }).toEqual({ containers: [], bases: [] });
    expect(unchanged).toEqual(["environment", "epilogue", "flat", "image", "includes", "plain"]);
  });

  it("follows includes, other environments, and what epilogues and definition files copy", async () => {
    write("common/packages.yaml", "packages: { all: {} }\n");
    expect(await changed()).toEqual({ includes: ["common/packages.yaml"] });
    git("checkout", "--quiet", ".");
    write("c/amd64/plain/spack.yaml", spec("zlib, pigz"));
    expect(await changed()).toEqual({
      plain: ["c/amd64/plain/spack.yaml"],
      environment: ["c/amd64/plain/spack.yaml"],
    });
    git("checkout", "--quiet", ".");
    write("c/amd64/epilogue/files/a", "b\n");
    write("c/amd64/data.txt", "other\n");
    expect(await changed()).toEqual({ epilogue: ["c/amd64/epilogue/files/a"], image: ["c/amd64/data.txt"] });
  });

  it("sees files that appear and files that go", async () => {
    write("c/amd64/includes/extra.yaml", "packages: {}\n");
    write("c/amd64/flat.lock", "{}\n");
    write("c/amd64/plain/Dockerfile.epilogue", "RUN true\n");
    expect(await changed()).toMatchObject({
      includes: ["c/amd64/includes/extra.yaml"],
      flat: ["c/amd64/flat.lock"],
      plain: ["c/amd64/plain/Dockerfile.epilogue", "spacktainers.yaml: epilogue"],
    });
    git("checkout", "--quiet", ".");
    git("clean", "--quiet", "--force");
    rmSync(join(root, "c/amd64/epilogue/Dockerfile.epilogue"));
    rmSync(join(root, "c/amd64/flat.yaml"));
    const { containers, removed } = await plan();
    expect(containers.map(({ name }) => name)).toEqual(["epilogue"]);
    expect(removed).toEqual(["amd64/flat"]);
  });

  it("takes sections of the configuration for those whom they decide", async () => {
    write("spacktainers.yaml", "definitions: c\nbase: { debian: bookworm }\nepilogue: { args: { A: y } }\n");
    expect(await changed()).toEqual({ epilogue: ["spacktainers.yaml: epilogue"] });
    write(
      "spacktainers.yaml",
      "definitions: c\nbase: { debian: bookworm }\nepilogue: { args: { A: x } }\nstrip: false\nplatforms: { arm64: { target: neoverse_n1 } }\n",
    );
    expect(await changed()).toEqual({
      ...Object.fromEntries(
        ["environment", "epilogue", "flat", "includes", "plain"].map((name) => [
          name,
          ["spacktainers.yaml: strip"],
        ]),
      ),
    });
    expect((await plan("HEAD", "arm64")).containers[0]?.reasons).toEqual([
      "spacktainers.yaml: platforms.arm64",
      "spacktainers.yaml: strip",
    ]);
  });

  it("knows the base images, and containers that stand on them", async () => {
    write("builder/extra", "x\n");
    expect((await plan()).bases).toEqual([{ image: "builder", reasons: ["builder/extra"] }]);
    expect(await changed()).toEqual({});
    write("spacktainers.yaml", `definitions: c\nbase: { image: ghcr.io/my-org/spack-runtime:latest }\n`);
    git("add", "--all");
    git("commit", "--quiet", "--message", "base");
    write("runtime/Dockerfile", "FROM debian:12\n");
    expect(Object.keys(await changed())).toEqual([
      "environment",
      "epilogue",
      "flat",
      "image",
      "includes",
      "plain",
    ]);
  });

  it("compares with where a branch began, and says which commit is not there", async () => {
    git("checkout", "--quiet", "-b", "work");
    write("c/amd64/plain/spack.yaml", spec("zlib, pigz"));
    git("commit", "--quiet", "--all", "--message", "mine");
    git("checkout", "--quiet", "main");
    write("c/amd64/flat.yaml", spec("zlib, pigz"));
    git("commit", "--quiet", "--all", "--message", "theirs");
    git("checkout", "--quiet", "work");
    expect((await plan("main")).containers.map(({ name }) => name)).toEqual(["environment", "plain"]);
    expect((await plan("0".repeat(40))).containers).toHaveLength(6);
    await expect(plan("nowhere")).rejects.toMatchObject({
      code: "NOT_FOUND",
      hint: expect.stringContaining("fetch-depth: 0"),
    });
    await expect(plan("--output=x")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("leaves a broken definition to its own job", async () => {
    write("c/amd64/flat.yaml", "spack: [");
    mkdirSync(join(root, "c/amd64/empty"));
    write("c/amd64/empty/notes", "");
    expect(await changed()).toMatchObject({ flat: ["c/amd64/flat.yaml"], empty: ["new"] });
  });

  it("plans what is asked for by name whatever changed", async () => {
    const { containers } = await plan(null, "amd64", ["plain"]);
    expect(containers).toEqual([
      { name: "plain", arch: "amd64", kind: "spack", reasons: ["asked for"], packages: [] },
    ]);
  });
});
