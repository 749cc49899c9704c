/** `base`: the builder and runtime images, with a stand-in for the program that makes them. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { demoRepository, makeWorkplace, type Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { commandExists } from "../support/commandExists.ts";
import { podmanEnvironment } from "../support/podman.ts";
import { dockerRegistryTrouble, type RealRegistry, startDockerRegistry } from "../support/realRegistry.ts";

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
        "--build-arg BUILTIN_REPO=https://github.com/spack/spack-packages.git@119680aeee8ea802c6111b7167583bddef97e82f:repos/spack_repo/builtin",
        "--build-arg REPOS=https://example.invalid/recipes.git@main:a https://example.invalid/recipes.git@main:b",
        `--build-arg TARGET=x86_64_v3 --build-arg PADDED_LENGTH=128 --build-arg EXTRA=1 ${work.path("builder")}`,
      ].join(" "),
      `build --format=docker --tag local_runtime --file ${work.path("runtime/Dockerfile")} --build-arg BASE_IMAGE=docker.io/library/ubuntu:24.04 --build-arg EXTRA=1 ${work.path("runtime")}`,
    ]);
  });

  const hasGit = commandExists("git");
  const withoutGit = hasGit ? "" : " (skipped: there is no git)";
  it.skipIf(!hasGit)(
    `gives the builder what it cannot fetch itself, for as long as it is made${withoutGit}`,
    async () => {
      mkdirSync(work.path("recipes/spack_repo/mine/packages/a"), { recursive: true });
      writeFileSync(work.path("recipes/spack_repo/mine/repo.yaml"), "repo: {namespace: mine, api: v2.2}\n");
      writeFileSync(work.path("recipes/spack_repo/mine/packages/a/package.py"), "# a\n");
      mkdirSync(work.path("wheels"));
      writeFileSync(work.path("wheels/clingo.whl"), "w");
      mkdirSync(work.path("sources"));
      writeFileSync(
        work.path("spacktainers.yaml"),
        "base: {scratch: true}\nspack:\n  repos: [recipes/spack_repo/mine]\n  wheels: wheels\n  mirrors: [sources]\n",
      );
      writeFileSync(
        work.path("bin/podman"),
        `#!/bin/sh\nfor last; do :; done\n(echo "$*"; cd "$last" && find . -type f | sort) > ${work.path("calls")}\n`,
      );
      const { status, stderr } = await run("build", "builder");
      expect(status, stderr).toBe(0);
      expect(calls()[0]).toContain("--build-arg REPOS=context:repos/1@:spack_repo/mine ");
      expect(calls().slice(1)).toEqual([
        "./Dockerfile",
        "./build-environment",
        "./repos/1/spack_repo/mine/packages/a/package.py",
        "./repos/1/spack_repo/mine/repo.yaml",
        "./setup-spack",
        "./wheels/clingo.whl",
      ]);
      const folder = (calls()[0] ?? "").split(" ").at(-1) ?? "";
      expect(existsSync(folder)).toBe(false);
      // What cannot be in an image is named, with its line.
      expect(stderr).toMatch(/spacktainers\.yaml:5:\d+ {2}warning .*spack: mirrors.*name a URL/);
      expect(stderr).toMatch(/spacktainers\.yaml:1:\d+ {2}warning .*the configured base is not an image/);
    },
  );

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

const trouble =
  dockerRegistryTrouble() ??
  (process.getuid?.() !== 0
    ? "the tests' set-up is for root"
    : commandExists("buildah")
      ? undefined
      : "buildah is not installed");

describe.skipIf(trouble !== undefined)(
  `base push, by Buildah to Debian's registry${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let work: Workplace;
    let registry: RealRegistry;
    beforeEach(async () => {
      registry = await startDockerRegistry({ users: { robot: "s3cret" } });
      const url = `"http://${registry.host}"`;
      work = makeWorkplace(`registries:
- {type: ecr, url: ${url}, repository: "spacktainers/{name}", username: $ROBOT, password: $ROBOT_PASSWORD}
- {type: ghcr, url: ${url}, repository: "My-Org/spack-{name}", username: $ROBOT, password: $ROBOT_PASSWORD}
`);
    });
    afterEach(async () => {
      await registry.close();
      work.remove();
    });

    const environment = (): NodeJS.ProcessEnv => {
      const env: NodeJS.ProcessEnv = {
        ...podmanEnvironment(work.path("podman")),
        ROBOT: "robot",
        ROBOT_PASSWORD: "s3cret",
      };
      // Its limits are for Podman's runtime.
      env.CONTAINERS_CONF = "";
      return env;
    };
    const authorization = `Basic ${Buffer.from("robot:s3cret").toString("base64")}`;
    const manifestOf = async (path: string, reference = "latest") => {
      const accept = [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
      ].join(", ");
      const url = `http://${registry.host}/v2/${path}/manifests/${reference}`;
      const answer = await fetch(url, { headers: { authorization, accept } });
      return answer.ok
        ? ((await answer.json()) as {
            mediaType: string;
            config: { digest: string };
            manifests: { digest: string; platform: { architecture: string } }[];
          })
        : undefined;
    };

    it("publishes what was made under every registry's name, with ONBUILD and the configured credentials", async () => {
      const env = environment();
      for (const name of ["builder", "runtime"]) {
        mkdirSync(work.path(name));
        writeFileSync(
          work.path(name, "Dockerfile"),
          `FROM scratch\nLABEL is=${name}\nONBUILD LABEL on=build\n`,
        );
      }
      const made = await work.run(["base", "build", "--with", "buildah"], { env });
      expect(made.status, made.stderr).toBe(0);
      const id = expect.stringMatching(/^(?:sha256:)?[0-9a-f]{64}$/);
      const listed = jsonLines(await work.run(["--json", "base", "list", "--with", "buildah"], { env }));
      expect(listed).toMatchObject([
        { tag: "local_builder", id, created: expect.stringMatching(/^20/), tool: "buildah" },
        { tag: "local_runtime", id, created: expect.stringMatching(/^20/) },
      ]);
      const pushed = await work.run(["base", "push", "--with", "buildah"], { env });
      expect(pushed.status, pushed.stderr).toBe(0);
      const names = [
        "spacktainers/builder",
        "my-org/spack-builder",
        "spacktainers/runtime",
        "my-org/spack-runtime",
      ];
      expect(pushed.stdout.trimEnd().split("\n")).toEqual(
        names.map((name) => `${registry.host}/${name}:latest`),
      );
      expect(pushed.stdout + pushed.stderr).not.toContain("s3cret");
      for (const name of names) {
        const index = await manifestOf(name);
        expect(index?.manifests.map(({ platform }) => platform.architecture)).toEqual([
          process.arch === "arm64" ? "arm64" : "amd64",
        ]);
        const manifest = await manifestOf(name, index?.manifests[0]?.digest);
        expect(manifest?.mediaType).toBe("application/vnd.docker.distribution.manifest.v2+json");
        const config = await fetch(`http://${registry.host}/v2/${name}/blobs/${manifest?.config.digest}`, {
          headers: { authorization },
        });
        expect(await config.json()).toMatchObject({
          config: { Labels: { is: name.replace(/^.*[/-]/, "") }, OnBuild: ["LABEL on=build"] },
        });
      }
    });

    it("keeps the images of other architectures under the same tag", async () => {
      const env = environment();
      mkdirSync(work.path("builder"));
      writeFileSync(work.path("builder/Dockerfile"), "FROM scratch\nLABEL is=builder\n");
      for (const arch of ["amd64", "arm64"]) {
        // As a machine of that architecture makes it.
        const argv = [
          "bud",
          "--quiet",
          "--format=docker",
          `--arch=${arch}`,
          "--tag=local_builder",
          "builder",
        ];
        execFileSync("buildah", argv, {
          cwd: work.directory,
          env: { ...process.env, ...env },
          stdio: "ignore",
        });
        const pushed = await work.run(["base", "push", "builder", "--with", "buildah"], { env });
        expect(pushed.status, pushed.stderr).toBe(0);
      }
      const index = await manifestOf("my-org/spack-builder");
      expect(index?.manifests.map(({ platform }) => platform.architecture)).toEqual(["amd64", "arm64"]);
    });

    it("says what is wrong when they are not made, or the password is", async () => {
      const missing = await work.run(["base", "push", "builder", "--with", "buildah"], {
        env: environment(),
      });
      expect(missing.status).toBe(1);
      expect(missing.stderr).toMatch(/PROCESS_FAILED {2}buildah could not push local_builder/);
      expect(missing.stderr).toContain("base build builder");
      mkdirSync(work.path("builder"));
      writeFileSync(work.path("builder/Dockerfile"), "FROM scratch\nLABEL is=builder\n");
      const env = { ...environment(), ROBOT_PASSWORD: "wr0ng" };
      expect((await work.run(["base", "build", "builder", "--with", "buildah"], { env })).status).toBe(0);
      const refused = await work.run(["base", "push", "builder", "--with", "buildah"], { env });
      expect(refused.stderr).toMatch(/ACCESS_DENIED/);
      expect(refused.stderr).not.toContain("wr0ng");
      expect(await manifestOf("spacktainers/builder")).toBeUndefined();
    });
  },
);
