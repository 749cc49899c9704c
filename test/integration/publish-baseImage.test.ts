import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type OpenedRepository, openRepository } from "../registry/open.ts";
import { emptyMachine, makeWorkplace, type Workplace } from "../support/cli.ts";
import { digestOfBuild, jsonLines } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { startFakeRegistry } from "../support/fakeRegistry.ts";
import { dockerRegistryTrouble, startDockerRegistry } from "../support/realRegistry.ts";
import { putImage, putIndex } from "../support/remoteImage.ts";
import { smallBase, smallBaseAllows } from "../support/smallBase.ts";

const first = smallBase({ packages: { libc6: "2.36-9" } });
const second = smallBase({ packages: { libc6: "2.36-10" } });
const other = smallBase({ packages: { libc6: "2.36-11" } });
const lockFile = "container_definitions/amd64/hello-mpi/spacktainers.lock";

const dockerTrouble = dockerRegistryTrouble();
const kinds = [
  { name: "a registry", trouble: undefined, start: startFakeRegistry },
  { name: "Debian's registry", trouble: dockerTrouble, start: startDockerRegistry },
] as const;

for (const { name, trouble, start } of kinds)
  describe.skipIf(trouble !== undefined)(
    `a base image from ${name}${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
    () => {
      let registry: { readonly host: string; close(): Promise<void> };
      let opened: OpenedRepository;
      let work: Workplace;
      beforeEach(async () => {
        registry = await start();
        opened = openRepository(`${registry.host}/base/small`);
        work = makeWorkplace();
        makeDemoRepository(work);
        writeFileSync(
          work.path("spacktainers.yaml"),
          `caches:\n- {url: cache, trust: [cache.pub]}\nbase: {image: "${registry.host}/base/small:1"}\nlinkage: {allow-unresolved: ${JSON.stringify(smallBaseAllows)}}\nregistries: [{url: "${registry.host}/org"}]\n`,
        );
      });
      afterEach(async () => {
        work.remove();
        await opened.close();
        await registry.close();
      });

      it("is pinned by the lock, for its architecture, and stays what it was when the tag moves", async () => {
        const [amd64] = await putIndex(opened.repository, "1", [
          { layers: [first], config: { Env: ["PATH=/bin", "BASE=yes"] } },
          { layers: [other], architecture: "arm64" },
        ]);
        const locked = await work.run(["lock", "--json"]);
        expect(locked.status, locked.stdout + locked.stderr).toBe(0);
        const lock = JSON.parse(readFileSync(work.path(lockFile), "utf8"));
        expect(lock.base).toMatchObject({ kind: "image", digest: amd64?.digest });
        expect(lock.base.packages).toMatchObject([{ name: "libc6", version: "2.36-9" }]);
        const frozen = digestOfBuild(await work.run(["--json", "build", "--frozen"]));

        await putImage(opened.repository, "1", { layers: [second] });
        for (const args of [["build"], ["build", "--frozen"]])
          expect(digestOfBuild(await work.run(["--json", ...args], emptyMachine(work)))).toBe(frozen);
        // What was locked is what push publishes, too.
        expect(jsonLines(await work.run(["push", "--frozen", "--json"])).at(-1)).toMatchObject({
          digest: frozen,
        });
        expect((await work.run(["lock", "--json"])).status).toBe(0);
        const again = JSON.parse(readFileSync(work.path(lockFile), "utf8"));
        expect(again.base.digest).not.toBe(lock.base.digest);
        expect(digestOfBuild(await work.run(["--json", "build", "--frozen"]))).not.toBe(frozen);

        // Another image than the locked one.
        const file = work.path("spacktainers.yaml");
        writeFileSync(file, readFileSync(file, "utf8").replace("small:1", "small:2"));
        const stale = await work.run(["-q", "build", "--frozen"]);
        expect(stale.stderr).toMatch(/LOCK_STALE {2}the configuration of the base has changed/);
        expect(stale.status).toBe(3);
      });

      it("is not moved when the image goes to the registry that has it", async () => {
        await putImage(opened.repository, "1", { layers: [first] });
        const pushed = await work.run(["push", "--json"]);
        expect(jsonLines(pushed).at(-1), pushed.stderr).toMatchObject({
          layers: { mounted: 1, uploaded: 4 },
          failed: false,
        });
        // From an empty machine, with one more package layer to make: the base's record says what is in it.
        writeFileSync(
          work.path("container_definitions/amd64/hello-mpi/spack.yaml"),
          "spack:\n  specs:\n  - ring\n",
        );
        const empty = emptyMachine(work);
        const again = await work.run(["push", "--json"], empty);
        expect(jsonLines(again).at(-1), again.stderr).toMatchObject({
          layers: { referenced: 4, uploaded: 1 },
          failed: false,
        });
        // It runs with the variables of its base, and is what a build makes.
        const built = digestOfBuild(await work.run(["--json", "build"], emptyMachine(work)));
        expect(jsonLines(again).at(-1)).toMatchObject({ digest: built });
      });
    },
  );
