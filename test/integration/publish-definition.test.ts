import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type OpenedRepository, openRepository } from "../registry/open.ts";
import { openApptainer, postTrouble, postUser } from "../support/apptainer.ts";
import { demoRepository, emptyMachine, makeWorkplace, type Workplace } from "../support/cli.ts";
import { digestOfBuild, jsonLines } from "../support/cliChecks.ts";
import { commandExists } from "../support/commandExists.ts";
import { startFakeRegistry } from "../support/fakeRegistry.ts";
import { hostArchitecture, hostPrograms, writeTestLayout } from "../support/hostImage.ts";
import { pushLayout } from "../support/pushLayout.ts";
import { dockerRegistryTrouble, startDockerRegistry } from "../support/realRegistry.ts";
import { putImage } from "../support/remoteImage.ts";
import { buildTar } from "../support/tarBuilder.ts";

const definition = "container_definitions/amd64/nexus-storage.def";

/** Stands in for the image that nexus-storage starts from, which is not ours to publish. */
const storage = buildTar([
  { name: "opt", type: "5", mode: 0o755 },
  { name: "opt/docker", type: "5", mode: 0o755 },
  { name: "opt/docker/bin", type: "5", mode: 0o755 },
  { name: "opt/docker/bin/storage", body: "#!/bin/sh\necho storage\n", mode: 0o755 },
]);

const kinds = [
  { name: "a registry", trouble: undefined, start: startFakeRegistry },
  { name: "Debian's registry", trouble: dockerRegistryTrouble(), start: startDockerRegistry },
] as const;

for (const { name, trouble, start } of kinds)
  describe.skipIf(trouble !== undefined)(
    `definition files in ${name}${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
    () => {
      let registry: { readonly host: string; close(): Promise<void> };
      let opened: OpenedRepository;
      let work: Workplace;
      beforeEach(async () => {
        registry = await start();
        opened = openRepository(`${registry.host}/bluebrain/nexus-storage`);
        work = makeWorkplace();
        mkdirSync(work.path("container_definitions/amd64"), { recursive: true });
        cpSync(join(demoRepository, definition), work.path(definition));
        const text = readFileSync(work.path(definition), "utf8");
        writeFileSync(
          work.path(definition),
          text.replace("From: bluebrain", `From: ${registry.host}/bluebrain`),
        );
        writeFileSync(
          work.path("spacktainers.yaml"),
          `registries: [{url: "${registry.host}/org", repository: "spack-{name}"}]\n`,
        );
        await putImage(opened.repository, "latest", {
          layers: [storage],
          config: { Entrypoint: ["/opt/docker/bin/storage"], User: "1001" },
        });
      });
      afterEach(async () => {
        work.remove();
        await opened.close();
        await registry.close();
      });

      it("are published with the tag of what they start from, once", async () => {
        const pushed = await work.run(["push", "--json"]);
        expect(pushed.status, pushed.stdout + pushed.stderr).toBe(0);
        const row = jsonLines(pushed).at(-1);
        expect(row).toMatchObject({
          name: "nexus-storage",
          version: "latest",
          repository: `${registry.host}/org/spack-nexus-storage`,
          tags: ["latest"],
          // What it starts from is in the same registry.
          layers: { mounted: 1, uploaded: 1 },
          upToDate: false,
          failed: false,
        });
        expect(digestOfBuild(await work.run(["--json", "build"], emptyMachine(work)))).toBe(row?.digest);
        const again = jsonLines(await work.run(["push", "--json"], emptyMachine(work))).at(-1);
        expect(again).toMatchObject({ upToDate: true, bytesSent: 0, digest: row?.digest });

        // What it starts from changes; so does what the definition says.
        await putImage(opened.repository, "latest", { layers: [storage, buildTar([])] });
        const moved = jsonLines(await work.run(["push", "--json"], emptyMachine(work))).at(-1);
        expect(moved).toMatchObject({ upToDate: false });
        expect(moved?.digest).not.toBe(row?.digest);
        appendFileSync(work.path(definition), "\n%labels\n    Team storage\n");
        const labelled = jsonLines(await work.run(["push", "--json"])).at(-1);
        expect(labelled).toMatchObject({ upToDate: false });
      });

      it("that take files are compared by what was made", async () => {
        writeFileSync(work.path("container_definitions/amd64/settings.conf"), "one\n");
        appendFileSync(work.path(definition), "\n%files\n    settings.conf /opt/docker/settings.conf\n");
        const first = jsonLines(await work.run(["push", "--json"])).at(-1);
        expect(first).toMatchObject({ upToDate: false, failed: false });
        const again = jsonLines(await work.run(["push", "--json"], emptyMachine(work))).at(-1);
        expect(again).toMatchObject({ upToDate: true, digest: first?.digest });
        writeFileSync(work.path("container_definitions/amd64/settings.conf"), "two\n");
        const changed = jsonLines(await work.run(["push", "--json"])).at(-1);
        expect(changed).toMatchObject({ upToDate: false });
        expect(changed?.digest).not.toBe(first?.digest);
      });

      it.skipIf(!commandExists("mksquashfs"))("make SIF files, too", async () => {
        const built = await work.run(["build", "--json", "--output", "sif:nexus.sif"]);
        expect(built.status, built.stdout + built.stderr).toBe(0);
        const dumped = await work.run(["sif", "dump", "nexus.sif", "1"]);
        expect(dumped.stdout).toContain(`From: ${registry.host}/bluebrain/nexus-storage:latest`);
        const force = jsonLines(await work.run(["push", "--force", "--json"])).at(-1);
        expect(force).toMatchObject({ failed: false, upToDate: false });
      });
    },
  );

const noPost =
  dockerRegistryTrouble() ??
  (commandExists("mksquashfs") ? undefined : "squashfs-tools are not installed") ??
  postTrouble();

describe.skipIf(noPost !== undefined)(
  `definition files with %post in Debian's registry${noPost === undefined ? "" : ` (skipped: ${noPost})`}`,
  () => {
    it("are made by Apptainer and published, their base from the same registry", async () => {
      const registry = await startDockerRegistry();
      const work = makeWorkplace(`registries: [{url: "${registry.host}/org"}]\n`);
      const opened = openRepository(`${registry.host}/base/host`);
      try {
        chmodSync(work.directory, 0o777);
        const apptainer = openApptainer(work.directory);
        const programs = hostPrograms(["sh", "bash", "cat", "echo", "env", "ls", "mkdir"]);
        await pushLayout(
          opened.repository,
          await writeTestLayout(work.path("base"), {
            layers: [programs],
            config: { Env: ["PATH=/usr/bin:/bin"] },
          }),
          "1.2",
        );
        const folder = work.path("container_definitions", hostArchitecture);
        mkdirSync(folder, { recursive: true });
        const define = (made: string) =>
          writeFileSync(
            join(folder, "post.def"),
            `Bootstrap: docker\nFrom: ${registry.host}/base/host:1.2\n%post\n echo ${made} > /made\n%labels\n Team storage\n%runscript\n cat /made\n`,
          );
        define("first");
        const user = {
          env: {
            ...apptainer.env,
            XDG_CACHE_HOME: work.path("tmp/cache"),
            // The registry of this machine speaks plain HTTP.
            APPTAINER_NOHTTPS: "true",
          },
          ...postUser(),
        };
        const push = async () => {
          const pushed = await work.run(["push", "--json"], user);
          expect(pushed.status, pushed.stdout + pushed.stderr).toBe(0);
          return jsonLines(pushed).at(-1);
        };
        const row = await push();
        expect(row).toMatchObject({ name: "post", version: "1.2", tags: ["1.2", "latest"], failed: false });
        const reference = `${registry.host}/org/post:1.2`;
        const runs = async (): Promise<string> => {
          const file = `pulled-${Math.random().toString(36).slice(2)}.sif`;
          const converted = await work.run(["sif", `docker://${reference}`, "-o", file]);
          expect(converted.status, converted.stdout + converted.stderr).toBe(0);
          return apptainer.run(["run", work.path(file)]).stdout;
        };
        expect(await runs()).toBe("first\n");
        expect(readdirSync(work.path("tmp/cache/spacktainers/apptainer"))).toEqual([]);
        define("second");
        expect(await push()).toMatchObject({ upToDate: false, failed: false });
        expect(await runs()).toBe("second\n");

        // What fails in %post is told by what Apptainer said, and the published image stays.
        define("third; false");
        const failed = await work.run(["-q", "push"], user);
        expect(failed.stderr).toMatch(/post\.def:3:1 {2}error {2}PROCESS_FAILED {2}apptainer build failed: /);
        expect(failed.status).toBe(1);
        expect(await runs()).toBe("second\n");
        expect(readdirSync(work.path("tmp/cache/spacktainers/apptainer"))).toEqual([]);
      } finally {
        work.remove();
        await opened.close();
        await registry.close();
      }
    });
  },
);

describe("definition files with %post", () => {
  it("are refused where there is no Apptainer", async () => {
    const registry = await startFakeRegistry();
    const work = makeWorkplace(`registries: [{url: "${registry.host}/org"}]\n`);
    try {
      const folder = work.path("container_definitions", hostArchitecture);
      mkdirSync(folder, { recursive: true });
      mkdirSync(work.path("bin"));
      writeFileSync(
        join(folder, "post.def"),
        `Bootstrap: docker\nFrom: ${registry.host}/base:1\n%post\n true\n`,
      );
      const refused = await work.run(["-q", "push"], { env: { PATH: work.path("bin") } });
      expect(refused.stderr).toMatch(/post\.def:3:1 {2}error {2}RUNTIME_MISSING {2}%post needs Apptainer/);
      expect(refused.status).toBe(4);
    } finally {
      work.remove();
      await registry.close();
    }
  });
});
