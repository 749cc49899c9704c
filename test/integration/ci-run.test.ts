/** The generated workflow, carried out here: a registry, an S3 server, a stand-in for Spack whose command lines are the real one's. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Workplace } from "../support/cli.ts";
import { dockerRegistryTrouble, type RealRegistry, startDockerRegistry } from "../support/realRegistry.ts";
import { hasS3Server, startS3Server } from "../support/s3Server.ts";
import { canStandIn } from "../support/spackStandIn/spackStandIn.ts";
import { define, makeTrial, type Trial } from "../support/spackStandIn/standInTrial.ts";

const trouble = dockerRegistryTrouble() ?? (canStandIn ? undefined : "a program of Spack's is missing");

const git = (work: Workplace, ...args: readonly string[]): string =>
  execFileSync(
    "git",
    ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgSign=false", ...args],
    { cwd: work.directory, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
  );

function commit(work: Workplace, message: string): void {
  git(work, "add", "--all");
  git(work, "commit", "--quiet", "--allow-empty", "--message", message);
}

describe.skipIf(trouble !== undefined)(
  `ci run${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let registry: RealRegistry;
    let trial: Trial;
    let work: Workplace;

    beforeAll(async () => {
      registry = await startDockerRegistry();
      trial = await makeTrial(["app"], "");
      work = trial.work;
      configure(work, "{ test: false, environments: { sandbox: { tags: [sandbox] }, production: {} } }");
      define(work, "other", ["hdf5", "zlib@1.3.1"]);
      expect((await work.run(["ci", "github"])).stderr).toBe("");
      commit(work, "first");
    });
    afterAll(async () => {
      work?.remove();
      await registry?.close();
    });

    function configure(place: Workplace, ci: string): void {
      const file = place.path("spacktainers.yaml");
      const text = readFileSync(file, "utf8");
      const caches = `caches: [{ url: ${place.path("shared")}, unsigned: true, push: true }]`;
      const registries = `registries: [{ url: ${registry.host}, repository: "spack-{name}" }]`;
      writeFileSync(file, `${text}${caches}\n${registries}\nci: ${ci}\n`);
      writeFileSync(place.path(".gitignore"), "cache-home\nshared\nstand-in\nkept\n");
      git(place, "init", "--quiet", "--initial-branch=main");
    }

    const published = async (name: string): Promise<readonly string[]> => {
      const response = await fetch(`http://${registry.host}/v2/spack-${name}/tags/list`);
      const { tags } = (await response.json()) as { readonly tags?: readonly string[] | null };
      return (tags ?? []).filter((tag) => !tag.startsWith("sha256-")).sort();
    };
    const digestOf = async (name: string): Promise<string | null> => {
      const accept = {
        Accept: "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json",
      };
      const response = await fetch(`http://${registry.host}/v2/spack-${name}/manifests/latest`, {
        headers: accept,
      });
      return response.headers.get("docker-content-digest");
    };
    const builtPackages = (): readonly string[] =>
      trial
        .commands()
        .filter(([command]) => command === "install")
        .map((words) => words.at(-1) ?? "");
    const packagesInCache = (): readonly string[] =>
      readdirSync(work.path("shared/v3/manifests/spec")).sort();

    it("builds nothing for a pull request without a label", async () => {
      const run = await work.run(["ci", "run", "--event", "pull_request", "--base", "HEAD"]);
      expect(run).toMatchObject({ status: 0, stderr: "" });
      expect(run.stdout).toMatch(/^passed {4}check$/m);
      expect(run.stdout).toMatch(/^skipped {3}plan amd64$/m);
      expect(run.stdout).toMatch(/^skipped {3}container amd64$/m);
      expect(trial.commands()).toEqual([]);
    });

    it("builds what is missing once for all containers, and publishes them", async () => {
      const run = await work.run(["ci", "run", "--event", "workflow_dispatch", "--keep", "kept"]);
      expect(run.stderr).toBe("");
      expect(run.status, run.stdout).toBe(0);
      expect(run.stdout).toMatch(/^passed {4}packages amd64 1: /m);
      expect(run.stdout).toMatch(/^passed {4}container amd64: other$/m);
      expect(run.stdout).toMatch(/^passed {4}container amd64: sim$/m);
      const built = builtPackages();
      expect(packagesInCache()).toEqual(["app", "cmake", "compiler", "hdf5", "tool", "zlib"]);
      expect(new Set(built).size).toBe(built.length);
      expect(built).toHaveLength(6);
      expect(await published("sim")).toEqual(["2.0", "latest", "sandbox"]);
      expect(await published("other")).toEqual(["1.14", "latest", "sandbox"]);
      const summary = readFileSync(work.path("kept/summary.md"), "utf8");
      expect(summary).toContain("| container `amd64/sim` | asked for |");
      expect(summary).toMatch(
        /\| `amd64\/sim` \| 2\.0 \| 4 \| .* \| 4 reused|\| `amd64\/sim` \| 2\.0 \| 4 \|/,
      );
      expect(summary).toMatch(/\| `127\.0\.0\.1:\d+\/spack-sim` \| amd64 \| 2\.0 latest sandbox \|/);
      expect(JSON.parse(readFileSync(work.path("kept/plan-amd64/plan.json"), "utf8"))).toMatchObject({
        arch: "amd64",
        since: null,
      });
      // Jobs work in copies.
      expect(git(work, "status", "--short")).toBe("");
    });

    it("does nothing when nothing changed, and says so", async () => {
      writeFileSync(work.path("README.md"), "words\n");
      commit(work, "words");
      const run = await work.run(["ci", "run", "--event", "push"]);
      expect(run).toMatchObject({ status: 0, stderr: "" });
      expect(run.stdout).toMatch(/Nothing changed since [0-9a-f]{12} for amd64: nothing to do\./);
      expect(run.stdout).toMatch(/^skipped {3}packages amd64 1$/m);
      expect(run.stdout).toMatch(/^skipped {3}container amd64$/m);
      expect(trial.commands()).toEqual([]);
    });

    it("builds and publishes the container that changed, and no other", async () => {
      const before = { sim: await digestOf("sim"), other: await digestOf("other") };
      define(work, "other", ["hdf5", "zlib@1.3.1", "slow"]);
      commit(work, "another package");
      const run = await work.run(["ci", "run", "--event", "push"]);
      expect(run.stderr).toBe("");
      expect(run.status, run.stdout).toBe(0);
      expect(run.stdout).toMatch(/^passed {4}container amd64: other$/m);
      expect(run.stdout).not.toContain("container amd64: sim");
      expect(builtPackages()).toHaveLength(1);
      expect(packagesInCache()).toContain("slow");
      expect(await digestOf("sim")).toBe(before.sim);
      expect(await digestOf("other")).not.toBe(before.other);
    });

    it("names a typo with file, line and column, and builds the others", async () => {
      const file = work.path("container_definitions/amd64/other/spack.yaml");
      const sound = readFileSync(file, "utf8");
      writeFileSync(file, sound.replace("  specs:", "  spcs:"));
      writeFileSync(
        work.path("container_definitions/amd64/sim/spack.yaml"),
        "spack:\n  specs:\n  - zlib@1.3.1\n",
      );
      commit(work, "a typo");
      const run = await work.run([
        "ci",
        "run",
        "--event",
        "pull_request",
        "--label",
        "build",
        "--base",
        "HEAD~1",
      ]);
      expect(run.status).toBe(1);
      expect(run.stdout).toMatch(
        /::error file=container_definitions\/amd64\/other\/spack\.yaml,line=2,col=3,title=MANIFEST_INVALID::.*spcs/,
      );
      expect(run.stdout).toMatch(/^failed {4}check$/m);
      expect(run.stdout).toMatch(/^failed {4}container amd64: other$/m);
      expect(run.stdout).toMatch(/^passed {4}container amd64: sim$/m);
      expect(await published("sim")).toContain("1.3.1");
      writeFileSync(file, sound);
      commit(work, "no typo");
    });

    it.skipIf(!hasS3Server())(
      `keeps packages and SIF files in buckets, with the documented keys${hasS3Server() ? "" : " (skipped: moto is not installed)"}`,
      async () => {
        const s3 = await startS3Server("pipelines");
        const bucket = await makeTrial(["zlib@1.3.1"], "");
        const place = bucket.work;
        try {
          const file = place.path("spacktainers.yaml");
          const cache = `{ url: "s3://pipelines/cache", unsigned: true, push: true, endpoint: "${s3.url}", region: us-east-1 }`;
          writeFileSync(
            file,
            `${readFileSync(file, "utf8")}caches: [${cache}]\nregistries: [{ url: ${registry.host}, repository: "s3-{name}" }]\nci: { test: false, environments: { only: { sif: "s3://pipelines/sif/{name}/{arch}/" } } }\n`,
          );
          writeFileSync(place.path(".gitignore"), "cache-home\nstand-in\n");
          git(place, "init", "--quiet", "--initial-branch=main");
          expect((await place.run(["ci", "github"])).status).toBe(0);
          commit(place, "first");
          const [accessKeyId, secretAccessKey] = ["test", "a-secret-of-the-cache"];
          const env = {
            AWS_ENDPOINT_URL: s3.url,
            AWS_REGION: "us-east-1",
            AWS_CACHE_ACCESS_KEY_ID: accessKeyId,
            AWS_CACHE_SECRET_ACCESS_KEY: secretAccessKey,
            AWS_INFRASTRUCTURE_ACCESS_KEY_ID: accessKeyId,
            AWS_INFRASTRUCTURE_SECRET_ACCESS_KEY: secretAccessKey,
            // Whatever the machine has is not what makes it work.
            AWS_ACCESS_KEY_ID: "",
            AWS_SECRET_ACCESS_KEY: "",
          };
          const run = await place.run(["ci", "run", "--event", "workflow_dispatch"], { env });
          expect(run.status, run.stdout + run.stderr).toBe(0);
          expect(run.stdout + run.stderr).not.toContain(secretAccessKey);
          expect(run.stdout).toContain("s3://pipelines/sif/sim/amd64/sim.sif");
          expect(run.stdout).not.toContain("is not set");
          const stored = await s3.client.send(new ListObjectsV2Command({ Bucket: "pipelines" }));
          const keys = (stored.Contents ?? []).map(({ Key }) => Key ?? "");
          expect(keys).toContain("sif/sim/amd64/sim.sif");
          expect(keys.filter((key) => key.startsWith("cache/v3/manifests/spec/zlib/"))).toHaveLength(1);
        } finally {
          place.remove();
          await s3.close();
        }
      },
    );

    it("runs GitLab's pipeline and the child that it makes, a job a package", async () => {
      const gitlab = await makeTrial(["app"], "");
      const place = gitlab.work;
      try {
        configure(place, "{ test: false, environments: { sandbox: { tags: [gitlab] }, production: {} } }");
        define(place, "other", ["hdf5"]);
        expect((await place.run(["ci", "gitlab"])).status).toBe(0);
        commit(place, "first");
        const run = await place.run(["ci", "run", "--host", "gitlab", "--event", "workflow_dispatch"]);
        expect(run.status, run.stdout + run.stderr).toBe(0);
        for (const name of ["app@2.0", "cmake@1.0", "compiler@1.0", "hdf5@1.14", "tool@0.9", "zlib@1.3.1"])
          expect(run.stdout).toMatch(new RegExp(`^passed {4}package ${name}/\\w{7}$`, "m"));
        expect(run.stdout).toMatch(/^passed {4}container other$/m);
        expect(run.stdout).toMatch(/^passed {4}container sim$/m);
        expect(await published("other")).toContain("gitlab");
        commit(place, "nothing");
        const again = await place.run(["ci", "run", "--host", "gitlab", "--event", "push"]);
        expect(again.status, again.stdout + again.stderr).toBe(0);
        expect(again.stdout).toContain("Nothing changed for amd64.");
        expect(again.stdout).not.toMatch(/^\w+ +container /m);
        const unasked = await place.run(["ci", "run", "--host", "gitlab", "--event", "pull_request"]);
        expect(unasked.stdout).toMatch(/^skipped {3}plan-amd64$/m);
        expect(unasked.stdout).toContain("Nothing is built for this merge request yet.");
      } finally {
        place.remove();
      }
    });

    it("goes on without what a failed package was needed for", async () => {
      const failing = await makeTrial(["app"], "");
      const place = failing.work;
      try {
        configure(place, "{ test: false }");
        define(place, "third", ["zlib@1.3.1"]);
        writeFileSync(failing.trouble, "");
        expect((await place.run(["ci", "github"])).status).toBe(0);
        commit(place, "one fails");
        const run = await place.run(["ci", "run", "--event", "workflow_dispatch", "--keep", "kept"]);
        expect(run.status).toBe(1);
        expect(run.stdout).toMatch(/^passed {4}container amd64: third$/m);
        expect(run.stdout).toMatch(/^failed {4}container amd64: sim$/m);
        const summary = readFileSync(place.path("kept/summary.md"), "utf8");
        expect(summary).toMatch(/\*\*tool@0\.9\/\w{7}\*\* failed in its phase build/);
        expect(summary).toContain("tool.c:3:5: error: expected ';' before 'return'");
      } finally {
        place.remove();
      }
    });
  },
);
