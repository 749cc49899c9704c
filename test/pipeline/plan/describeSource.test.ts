import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeBuilder } from "../../../src/pipeline/assemble/describeBuilder.ts";
import { publicUrl } from "../../../src/pipeline/assemble/describeBuilt.ts";
import { describeSource, publicRemote } from "../../../src/pipeline/plan/describeSource.ts";
import { commandExists } from "../../support/commandExists.ts";

describe("remotes", () => {
  it.each([
    ["https://github.com/group/repo.git", "https://github.com/group/repo"],
    ["https://user:secret@github.com/group/repo", "https://github.com/group/repo"],
    ["https://oauth2:token@gitlab.example.org:8443/a/b/c.git/", "https://gitlab.example.org:8443/a/b/c"],
    ["git@github.com:group/repo.git", "https://github.com/group/repo"],
    ["github.com:/group/repo", "https://github.com/group/repo"],
    ["ssh://git@git.example.org:2222/group/repo.git", "https://git.example.org/group/repo"],
    ["git+ssh://git@git.example.org/group/repo", "https://git.example.org/group/repo"],
    ["http://localhost:3000/group/repo", undefined],
    ["https://127.0.0.1/group/repo", undefined],
    ["/srv/git/repo.git", undefined],
    ["file:///srv/git/repo.git", undefined],
    ["../repo", undefined],
    ["C:\\repo", undefined],
    ["", undefined],
  ])("%s is known as %s", (remote, url) => expect(publicRemote(remote)).toBe(url));

  it("of caches are published without credentials, and only when others can reach them", () => {
    expect(publicUrl("https://user:secret@cache.example.org/a?token=1")).toBe("https://cache.example.org/a");
    expect(publicUrl("s3://bucket/v3/blobs/x")).toBe("s3://bucket/v3/blobs/x");
    for (const local of [
      "/srv/cache/x",
      "file:///srv/cache/x",
      "http://127.0.0.1:8080/x",
      "http://localhost/x",
    ])
      expect(publicUrl(local)).toBeUndefined();
  });
});

const trouble = commandExists("git") ? undefined : "there is no git";

describe.skipIf(trouble !== undefined)(`git${trouble === undefined ? "" : ` (skipped: ${trouble})`}`, () => {
  // git names directories as they really are.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "spacktainers-git-")));
  const root = join(folder, "group");
  const definition = join(root, "a/spack.yaml");
  const env = { ...process.env, HOME: folder, GIT_CONFIG_NOSYSTEM: "1" };
  for (const name of Object.keys(env))
    if (/^(?:GITHUB|GITLAB|CI)(?:_|$)/.test(name)) delete (env as NodeJS.ProcessEnv)[name];
  const git = (cwd: string, ...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync(
      "git",
      [
        "-c",
        "user.name=test",
        "-c",
        "user.email=test@example.org",
        "-c",
        "protocol.file.allow=always",
        ...args,
      ],
      { cwd, env, encoding: "utf8" },
    );
    if (status !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  const commit = (message: string): string => {
    git(root, "add", "-A");
    git(root, "commit", "-qm", message);
    return git(root, "rev-parse", "HEAD");
  };
  let first = "";
  let second = "";
  beforeAll(() => {
    mkdirSync(join(root, "a"), { recursive: true });
    git(folder, "init", "-q", "-b", "main", root);
    git(root, "remote", "add", "origin", "git@git.example.org:group/containers.git");
    writeFileSync(definition, "spack: {specs: [zlib]}\n");
    first = commit("a definition");
    writeFileSync(join(root, "other"), "x");
    second = commit("something else");
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("tells repository, commit, the last change of the container's files, branch and path", async () => {
    expect(await describeSource(root, definition, [join(root, "missing.lock")], env)).toEqual({
      url: "https://git.example.org/group/containers",
      revision: second,
      lastChange: first,
      ref: "refs/heads/main",
      path: "a/spack.yaml",
    });
  });

  it("names no commit for files that are in none", async () => {
    writeFileSync(join(root, "a/spack.lock"), "{}");
    const facts = await describeSource(root, definition, [join(root, "a/spack.lock")], env);
    expect(facts).toMatchObject({ revision: undefined, lastChange: undefined });
    rmSync(join(root, "a/spack.lock"));
    // What else lies about does not matter.
    writeFileSync(join(root, "unrelated"), "x");
    expect(await describeSource(root, definition, [], env)).toMatchObject({
      revision: second,
      lastChange: first,
    });
    rmSync(join(root, "unrelated"));
  });

  it("does not know what changed last beyond the end of a shallow clone", async () => {
    const clone = join(folder, "clone");
    git(folder, "clone", "-q", "--depth", "1", `file://${root}`, clone);
    const facts = await describeSource(clone, join(clone, "a/spack.yaml"), [], env);
    expect(facts).toMatchObject({ revision: second, lastChange: undefined, url: undefined });
  });

  it("comes after CI's own variables, which count for CI's checkout only", async () => {
    const github = {
      ...env,
      GITHUB_ACTIONS: "true",
      GITHUB_WORKSPACE: root,
      GITHUB_SERVER_URL: "https://github.com",
      GITHUB_REPOSITORY: "group/other",
      GITHUB_SHA: "f".repeat(40),
      GITHUB_REF: "refs/pull/1/merge",
    };
    expect(await describeSource(root, definition, [], github)).toEqual({
      url: "https://github.com/group/other",
      revision: "f".repeat(40),
      lastChange: first,
      ref: "refs/pull/1/merge",
      path: "a/spack.yaml",
    });
    expect(
      await describeSource(root, definition, [], { ...github, GITHUB_WORKSPACE: "/elsewhere" }),
    ).toMatchObject({
      revision: second,
    });
    const gitlab = {
      ...env,
      GITLAB_CI: "true",
      CI_PROJECT_DIR: root,
      CI_PROJECT_URL: "https://gitlab.example.org/group/other",
      CI_COMMIT_SHA: "e".repeat(40),
      CI_COMMIT_REF_NAME: "v1",
      CI_COMMIT_TAG: "v1",
    };
    expect(await describeSource(root, definition, [], gitlab)).toMatchObject({
      url: "https://gitlab.example.org/group/other",
      revision: "e".repeat(40),
      ref: "refs/tags/v1",
    });
  });

  it("is not needed, nor a repository", async () => {
    expect(
      await describeSource(folder, join(folder, "x.yaml"), [], { ...env, GIT_CEILING_DIRECTORIES: tmpdir() }),
    ).toBeUndefined();
  });
});

describe("builders", () => {
  it("are workflows, runners, or somebody's machine", () => {
    expect(describeBuilder({})).toEqual({
      id: "https://spacktainers.dev/builders/local",
      invocation: undefined,
    });
    expect(
      describeBuilder({
        GITHUB_ACTIONS: "true",
        GITHUB_SERVER_URL: "https://github.com",
        GITHUB_REPOSITORY: "a/b",
        GITHUB_WORKFLOW_REF: "a/b/.github/workflows/x.yml@refs/heads/main",
        GITHUB_RUN_ID: "7",
        GITHUB_RUN_ATTEMPT: "2",
      }),
    ).toEqual({
      id: "https://github.com/a/b/.github/workflows/x.yml@refs/heads/main",
      invocation: "https://github.com/a/b/actions/runs/7/attempts/2",
    });
    expect(
      describeBuilder({
        GITLAB_CI: "true",
        CI_PROJECT_URL: "https://g.example.org/a/b",
        CI_RUNNER_ID: "3",
        CI_JOB_URL: "https://g.example.org/a/b/-/jobs/1",
      }),
    ).toEqual({
      id: "https://g.example.org/a/b/-/runners/3",
      invocation: "https://g.example.org/a/b/-/jobs/1",
    });
  });
});
