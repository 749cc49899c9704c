/** The pipelines that are written are valid, whatever the configuration; and `ci check` notices what is not as it would be written. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { demoRepository, makeWorkplace, type Workplace } from "../support/cli.ts";
import { actionlint, gitlabErrors, gitlabSchema, lintWorkflows } from "../support/pipelineCheckers.ts";

const program = actionlint();
const schema = gitlabSchema();

const keyless = "caches: [{ url: 'http://127.0.0.1:1/', unsigned: true }]\n";
const configurations: Readonly<Record<string, string>> = {
  nothing: "",
  full: `caches:
  - { url: "s3://my-cache", unsigned: true, push: true }
spack: { ref: v1.1.0 }
base: { image: docker.io/library/debian:12 }
registries:
  - { type: ghcr, url: ghcr.io/my-org, repository: "spack-{name}" }
  - { type: ecr, url: 123456789012.dkr.ecr.us-east-1.amazonaws.com, repository: "spacktainers/{name}" }
  - { url: registry.example.org, username: $EXAMPLE_USER, password: $EXAMPLE_PASSWORD }
signing: { key: "env://COSIGN_PRIVATE_KEY" }
ci:
  runners: { amd64: { codebuild: spacktainers }, small: { codebuild: spacktainers, size: small }, arm64: [self-hosted, linux, arm64, big] }
  environments:
    sandbox: { registries: [ghcr.io], tags: [sandbox] }
    production: { sif: "s3://sif/{name}/" }
  stages: 7
  gitlab: { tags: { arm64: [arm] } }
`,
  oidc: `${keyless}registries: [{ type: ecr, url: 123456789012.dkr.ecr.us-east-1.amazonaws.com }]
ci: { oidc: { role: "arn:aws:iam::123456789012:role/ci", region: us-east-1 }, test: false, rebase: false }
`,
  "oidc by variables": `${keyless}registries: [{ type: ecr, url: 123456789012.dkr.ecr.us-east-1.amazonaws.com }]
ci: { oidc: {}, install: [npm ci, npm link], node: "24", branch: trunk, catalogue: true }
`,
  catalogue: `${keyless}registries: [{ type: ghcr, url: ghcr.io/my-org, repository: "spack-{name}" }]
ci: { catalogue: true, rebase: false }
`,
};

describe("ci github and ci gitlab", () => {
  let work: Workplace;
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(work.path(path)), { recursive: true });
    writeFileSync(work.path(path), text);
  };
  const read = (path: string): string => readFileSync(work.path(path), "utf8");

  beforeEach(() => {
    work = makeWorkplace("");
    for (const arch of ["amd64", "arm64"])
      write(`container_definitions/${arch}/sim/spack.yaml`, "spack:\n  specs: [zlib]\n");
    write("container_definitions/amd64/other/spack.yaml", "spack:\n  specs: [zlib]\n");
    write("builder/Dockerfile", "FROM scratch\n");
    mkdirSync(work.path(".git"));
  });
  afterEach(() => work.remove());

  for (const [name, configuration] of Object.entries(configurations)) {
    it.skipIf(program === undefined)(
      `writes workflows that actionlint accepts: ${name}${program ? "" : " (skipped: actionlint is not installed)"}`,
      async () => {
        write("spacktainers.yaml", configuration);
        expect((await work.run(["ci", "github"])).stderr).toBe("");
        expect(lintWorkflows(program ?? "", work.directory)).toBe("");
        expect(await work.run(["ci", "check"])).toMatchObject({ status: 0, stderr: "" });
      },
    );

    it.skipIf(schema === undefined)(
      `writes a pipeline that GitLab's schema accepts: ${name}${schema ? "" : " (skipped: the schema is not here)"}`,
      async () => {
        write("spacktainers.yaml", configuration);
        expect((await work.run(["ci", "gitlab"])).stderr).toBe("");
        expect(gitlabErrors(schema ?? "", read(".gitlab-ci.yml"))).toEqual([]);
        expect(await work.run(["ci", "check"])).toMatchObject({ status: 0, stderr: "" });
      },
    );
  }

  it("writes the same twice, and names every secret that it takes", async () => {
    write("spacktainers.yaml", configurations.full ?? "");
    await work.run(["ci", "github"]);
    const workflow = read(".github/workflows/spacktainers.yml");
    const again = await work.run(["ci", "github"]);
    expect(again.stdout).not.toContain("written");
    expect(read(".github/workflows/spacktainers.yml")).toBe(workflow);
    const page = read(".github/spacktainers.md");
    const taken = new Set(
      [...workflow.matchAll(/\$\{\{ (?:secrets|vars)\.(\w+) \}\}/g)].map(([, name]) => name),
    );
    expect([...taken].sort()).toEqual([
      "AWS_CACHE_ACCESS_KEY_ID",
      "AWS_CACHE_SECRET_ACCESS_KEY",
      "AWS_INFRASTRUCTURE_ACCESS_KEY_ID",
      "AWS_INFRASTRUCTURE_SECRET_ACCESS_KEY",
      "AWS_REGION",
      "COSIGN_PASSWORD",
      "COSIGN_PRIVATE_KEY",
      "DOCKERHUB_PASSWORD",
      "DOCKERHUB_USER",
      "EXAMPLE_PASSWORD",
      "EXAMPLE_USER",
      "GHCR_TOKEN",
      "GHCR_USER",
    ]);
    for (const name of taken) expect(page).toContain(`| \`${name}\` |`);
    // One step sees them, as variables: they are on no command line.
    const { jobs } = parse(workflow) as {
      readonly jobs: Record<
        string,
        {
          readonly steps: readonly { readonly name?: string; readonly run?: string; readonly env?: object }[];
        }
      >;
    };
    for (const { steps } of Object.values(jobs))
      for (const step of steps) {
        expect(step.run ?? "").not.toContain("secrets.");
        if (step.name !== "Credentials") expect(JSON.stringify(step.env ?? {})).not.toContain("secrets.");
      }
  });

  it("names what is not as it would be written, with its line, and secrets that nobody documented", async () => {
    write("spacktainers.yaml", configurations.full ?? "");
    const none = await work.run(["-q", "ci", "check"]);
    expect(none).toMatchObject({ status: 4 });
    await work.run(["ci", "github"]);
    const path = work.path(".github/workflows/spacktainers.yml");
    writeFileSync(
      path,
      read(".github/workflows/spacktainers.yml").replace("fetch-depth: 0", "fetch-depth: 1"),
    );
    write(
      ".github/workflows/own.yml",
      "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo\n        env: { T: '${{ secrets.NPM_TOKEN }}' }\n",
    );
    rmSync(work.path(".github/workflows/spacktainers-rebase.yml"));
    const { status, stderr } = await work.run(["-q", "ci", "check"]);
    expect(status).toBe(3);
    expect(stderr).toMatch(/spacktainers\.yml:\d+:1 {2}error {2}CONFIG_INVALID {2}the file is out of date/);
    expect(stderr).toMatch(/ {4}- +fetch-depth: 1\n {4}\+ +fetch-depth: 0\n/);
    expect(stderr).toMatch(/spacktainers-rebase\.yml {2}error {2}CONFIG_INVALID {2}the file is missing/);
    expect(stderr).toMatch(
      /own\.yml:7:\d+ {2}error {2}CONFIG_INVALID {2}the secret or variable NPM_TOKEN is not documented/,
    );
    write("spacktainers.yaml", `${configurations.full}  secrets: { NPM_TOKEN: publishes the package }\n`);
    await work.run(["ci", "github"]);
    expect(await work.run(["ci", "check"])).toMatchObject({ status: 0 });
    // It is documented, and given to no generated job.
    expect(read(".github/spacktainers.md")).toContain("NPM_TOKEN");
    expect(read(".github/workflows/spacktainers.yml")).not.toContain("NPM_TOKEN");
    // A container that is new is one that can be chosen by hand.
    write("container_definitions/amd64/new/spack.yaml", "spack:\n  specs: [zlib]\n");
    expect((await work.run(["-q", "ci", "check"])).stderr).toMatch(/\+ +- new/);
  });

  it("replaces no file that somebody wrote", async () => {
    write(".gitlab-ci.yml", "job: { script: [make] }\n");
    const refused = await work.run(["-q", "ci", "gitlab"]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("OUTPUT_EXISTS");
    expect(read(".gitlab-ci.yml")).toBe("job: { script: [make] }\n");
    expect((await work.run(["-q", "ci", "gitlab", "--force"])).status).toBe(0);
  });

  it("writes credentials where only this user reads them, and prints none", async () => {
    write("spacktainers.yaml", configurations.full ?? "");
    write("github-env", "");
    const secrets = {
      AWS_CACHE_ACCESS_KEY_ID: "CACHEKEY1",
      AWS_CACHE_SECRET_ACCESS_KEY: "cache-secret",
      AWS_INFRASTRUCTURE_ACCESS_KEY_ID: "INFRAKEY1",
      AWS_INFRASTRUCTURE_SECRET_ACCESS_KEY: "infra-secret",
      GHCR_USER: "me",
      GHCR_TOKEN: "ghcr-secret",
      COSIGN_PRIVATE_KEY: "-----BEGIN KEY-----\nkey-secret's\n-----END KEY-----",
    };
    const { stdout, stderr, status } = await work.run(["ci", "credentials", "--output", "cred"], {
      env: { ...secrets, GITHUB_ENV: work.path("github-env"), GITHUB_ACTIONS: "" },
    });
    expect(status).toBe(0);
    expect(stdout + stderr).not.toMatch(/-secret|KEY1/);
    expect(stderr).toContain("EXAMPLE_PASSWORD is not set");
    expect(read("cred/aws")).toContain("[default]\naws_access_key_id = INFRAKEY1\n");
    expect(read("cred/aws")).toContain("[spacktainers-cache]\naws_access_key_id = CACHEKEY1\n");
    expect(JSON.parse(read("cred/auth.json"))).toEqual({
      auths: { "ghcr.io": { auth: Buffer.from("me:ghcr-secret").toString("base64") } },
    });
    expect(read("github-env")).toContain("AWS_CACHE_PROFILE<<END\nspacktainers-cache\nEND\n");
    expect(read("github-env")).toContain(
      "COSIGN_PRIVATE_KEY<<END\n-----BEGIN KEY-----\nkey-secret's\n-----END KEY-----\nEND\n",
    );
    const { execFileSync } = await import("node:child_process");
    const sourced = execFileSync("sh", ["-c", '. ./cred/environment.sh; printf %s "$COSIGN_PRIVATE_KEY"'], {
      cwd: work.directory,
      encoding: "utf8",
    });
    expect(sourced).toBe(secrets.COSIGN_PRIVATE_KEY);
    const modes = execFileSync(
      "stat",
      ["-c", "%a", "cred", "cred/aws", "cred/auth.json", "cred/environment.sh"],
      { cwd: work.directory, encoding: "utf8" },
    );
    expect(modes).toBe("700\n600\n600\n600\n");
  });

  it.skipIf(schema === undefined)(
    "makes a child pipeline with a job a package, following the graph",
    async () => {
      write("spacktainers.yaml", configurations.full ?? "");
      const packages = Array.from({ length: 120 }, (_, index) => ({
        hash: `${index}`.padStart(32, "a"),
        label: `p${index}@1/aaaaaaa`,
        container: "sim",
        after: [] as string[],
      }));
      const top = {
        hash: "t".repeat(32),
        label: "top@1/ttttttt",
        container: "sim",
        after: packages.map(({ hash }) => hash),
      };
      const plan = {
        version: 1,
        arch: "amd64",
        since: null,
        bases: [{ image: "builder", reasons: [] }],
        containers: [{ name: "sim", arch: "amd64", kind: "spack", reasons: [], packages: [top.hash] }],
        unchanged: [],
        removed: [],
        stages: [[{ id: "1-1", packages: [...packages, top] }]],
        locks: [],
      };
      write("plan/plan.json", JSON.stringify(plan));
      const env = { CI_PIPELINE_ID: "4711", ENVIRONMENT: "production" };
      const child = await work.run(["ci", "gitlab", "--child", "plan"], { env });
      expect(child.stderr).toBe("");
      expect(gitlabErrors(schema ?? "", child.stdout)).toEqual([]);
      const jobs = parse(child.stdout) as Record<
        string,
        { readonly needs?: readonly unknown[]; readonly variables?: Record<string, string> }
      >;
      expect(jobs["package p3@1/aaaaaaa"]?.variables?.PACKAGE_JOB).toBe(packages[3]?.hash);
      expect(jobs["container sim"]?.needs?.[0]).toEqual({ pipeline: "4711", job: "plan-amd64" });
      expect(jobs["container sim"]).toMatchObject({ environment: { name: "production" } });
      // GitLab lets a job wait for fifty others.
      for (const { needs } of Object.values(jobs)) expect(needs?.length ?? 0).toBeLessThanOrEqual(50);
      const reached = new Set<unknown>();
      const follow = (name: unknown): void => {
        if (reached.has(name)) return;
        reached.add(name);
        for (const need of jobs[String(name)]?.needs ?? []) follow(need);
      };
      follow("container sim");
      expect(packages.every(({ label }) => reached.has(`package ${label}`))).toBe(true);
      write("plan/plan.json", JSON.stringify({ ...plan, bases: [], containers: [], stages: [] }));
      const empty = await work.run(["ci", "gitlab", "--child", "plan"]);
      expect(gitlabErrors(schema ?? "", empty.stdout)).toEqual([]);
      expect(empty.stdout).toContain("Nothing changed for amd64.");
    },
  );
});

describe("this repository", () => {
  it("has the pipelines that it would write, and they are valid", async () => {
    const work = makeWorkplace();
    try {
      const check = await work.run(["-C", demoRepository, "ci", "check"]);
      expect(check).toMatchObject({ status: 0, stderr: "" });
      if (program !== undefined) expect(lintWorkflows(program, demoRepository)).toBe("");
    } finally {
      work.remove();
    }
  });
});
