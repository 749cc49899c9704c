import { relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { type DockerfileRequest, dockerfileText } from "../../../src/commands/dockerfile/dockerfileText.ts";
import { defaultConfiguration, readConfiguration } from "../../../src/definitions/configuration.ts";

function request(yaml: string, changes: Partial<DockerfileRequest> = {}): DockerfileRequest {
  const { configuration } = readConfiguration(yaml, "/repository/spacktainers.yaml");
  return {
    name: "simulation",
    arch: "amd64",
    configuration: configuration ?? defaultConfiguration("/repository"),
    manifest: "container_definitions/amd64/simulation/spack.yaml",
    lock: undefined,
    epilogue: undefined,
    basePackages: ["libgomp1", "bash"],
    relative(path) {
      const found = relative("/repository", resolve("/repository", path));
      return found.startsWith("..") ? undefined : found;
    },
    ...changes,
  };
}

/** Instructions with their continued lines as one. */
function instructions(text: string): readonly string[] {
  return text
    .replaceAll("\\\n", " ")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.replaceAll(/ +/g, " "));
}

describe("a Dockerfile", () => {
  it("has nothing but instructions, each on a line of its own", () => {
    const text = dockerfileText(
      request("caches: [{url: s3://bucket, trust: keys/a.pub, endpoint: 'https://s3.example.org'}]\n", {
        lock: "container_definitions/amd64/simulation/spack.lock",
        epilogue: "RUN true\n",
      }),
    );
    for (const line of instructions(text))
      expect(line).toMatch(/^(FROM|RUN|COPY|ADD|ENV|LABEL|ENTRYPOINT|CMD) /);
    expect(instructions(text).filter((line) => line.startsWith("FROM "))).toEqual([
      "FROM docker.io/library/debian:bookworm AS builder",
      "FROM docker.io/library/debian:bookworm",
    ]);
    expect(text.trimEnd().split("\n").slice(-2)).toEqual(["# Dockerfile.epilogue", "RUN true"]);
  });

  it("brings caches and keys to the builder, and gives credentials only as a mounted secret", () => {
    const remote = dockerfileText(request("caches: [{url: s3://bucket, trust: keys/a.pub}]\n"));
    expect(remote).toContain('COPY ["keys/a.pub","/opt/keys/0-0.pub"]');
    expect(remote).toContain("mirror add --scope site --signed cache0 s3://bucket");
    expect(remote).toContain("RUN --mount=type=secret,id=aws,target=/root/.aws/credentials spack -e");
    const local = dockerfileText(request("caches: [{url: 'my cache', unsigned: true}]\n"));
    expect(local).toContain('COPY ["my cache","/opt/caches/0"]');
    expect(local).toContain("--unsigned cache0 file:///opt/caches/0");
    expect(local).not.toContain("--mount=type=secret");
    const anonymous = dockerfileText(request("caches: [{url: s3://b, trust: a, anonymous: true}]\n"));
    expect(anonymous).not.toContain("--mount=type=secret");
  });

  it("copies a Spack that is a folder of the repository, which has no commit to check out", () => {
    const text = dockerfileText(request("spack: {url: tools/spack}\n"));
    expect(text).toContain('COPY ["tools/spack","/opt/spack"]');
    expect(text).not.toContain("git clone");
    for (const yaml of [
      "spack: {url: tools/spack, ref: main}",
      "spack: {repos: [{url: recipes, ref: main}]}",
    ])
      expect(() => dockerfileText(request(yaml))).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID" }),
      );
    const ssh = dockerfileText(request("spack: {url: 'git@git.example.org:tools/spack.git'}\n"));
    expect(ssh).toContain(
      "git clone --quiet --no-checkout --filter=blob:none git@git.example.org:tools/spack.git",
    );
  });

  it("gives Spack its recipes before it looks for compilers, and a client of S3 where a cache takes one", () => {
    const text = dockerfileText(
      request("spack: {repos: [{url: recipes}]}\ncaches: [{url: s3://bucket, trust: keys/a.pub}]\n"),
    );
    expect(text.indexOf("spack repo add")).toBeLessThan(text.indexOf("spack compiler find"));
    expect(text).toMatch(/apt-get install .* python3-boto3 /);
    expect(dockerfileText(request(""))).not.toContain("boto3");
  });

  it("leaves Spack itself out of the script, and keeps the container runtime's libraries", () => {
    const text = dockerfileText(request(""));
    expect(text).toContain(
      " && PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /opt/spack/bin/spack env activate --sh -d /opt/spack-environment | sed -n '/^export SPACK_/d; s/^\\(export .*[^;]\\);*$/\\1/p' > /opt/image/etc/profile.d/z10_spack_environment.sh",
    );
    expect(text).toContain(
      `printf '%s\\n' 'if [ -n "\${LD_LIBRARY_PATH:-}" ]; then' '  export LD_LIBRARY_PATH="$LD_LIBRARY_PATH:/.singularity.d/libs"' fi >> /opt/image/etc/profile.d/z10_spack_environment.sh`,
    );
  });

  it("quotes what a shell would read otherwise", () => {
    const text = dockerfileText(
      request("spack: {url: 'https://example.org/$(id)', ref: \"it's\"}\ncaches: []\n"),
    );
    expect(text).toContain(
      "git clone --quiet --no-checkout --filter=blob:none 'https://example.org/$(id)' /opt/spack",
    );
    expect(text).toContain("checkout --quiet 'it'\\''s'");
  });

  it("follows the configuration: folders, stripping, target, recipes, the base", () => {
    const text = dockerfileText(
      request(
        [
          "base: {ubuntu: noble, snapshot: 20250520T000000Z}",
          "install: {root: /sw}",
          "view: {root: /sw/views/all}",
          "strip: false",
          "platforms: {amd64: {target: zen3}}",
          "spack: {repos: [{url: recipes, path: spack_repo/ours}, {url: 'https://example.org/r.git', ref: main}]}",
        ].join("\n"),
      ),
    );
    expect(text).toContain("FROM docker.io/library/ubuntu:noble\n");
    expect(text).toContain("http://snapshot.ubuntu.com/ubuntu/20250520T000000Z noble main");
    expect(text).toContain("config:install_tree:root:/sw");
    expect(text).toContain("'packages:all:target:[zen3]'");
    // The view is a link: it is copied within a folder, so that it stays one.
    expect(text).toContain("cp -a --parents /sw /sw/views/._all /sw/views/all ");
    expect(text).toContain('COPY --from=builder ["/opt/image/","/"]');
    expect(text).not.toContain("strip --strip-unneeded");
    expect(text).toContain('COPY ["recipes","/opt/repos/0"]');
    expect(text).toContain("spack repo add --scope site /opt/repos/0/spack_repo/ours");
    expect(text).toContain("git -C /opt/repos/1 checkout --quiet main");
    expect(dockerfileText(request("base: {rootfs: base.tar}\n"))).toContain(
      'FROM scratch AS builder\nADD ["base.tar","/"]',
    );
  });

  it("is refused where Docker has nothing of the kind", () => {
    for (const [yaml, code] of [
      ["base: {scratch: true}", "NOT_SUPPORTED"],
      ["base: {oci: layout}", "NOT_SUPPORTED"],
      ["base: {rootfs: /elsewhere/base.tar}", "CONFIG_INVALID"],
      ["caches: [{url: /elsewhere/cache, unsigned: true}]", "CONFIG_INVALID"],
    ] as const)
      expect(() => dockerfileText(request(yaml))).toThrow(expect.objectContaining({ code }));
  });
});
