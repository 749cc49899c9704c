import { readdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { debrisIn, digestOfBuild, expectRefusal, jsonLines } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { type FaultServer, serveDirectory, startFaultServer } from "../support/faultServer.ts";
import { snapshot } from "../support/fileSnapshot.ts";
import { mountSmallDisk, type SmallDisk, smallDiskTrouble } from "../support/smallDisk.ts";

const trouble = smallDiskTrouble();
const refusal = { code: "DISK_FULL", status: 1, says: "the disk is full", hint: "free some space" };

describe.skipIf(trouble !== undefined)(
  `a full disk${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    const places: Workplace[] = [];
    const disks: SmallDisk[] = [];
    let server: FaultServer;
    let digest: string;
    let reference: Workplace;

    beforeAll(async () => {
      server = await startFaultServer();
      reference = makeWorkplace();
      places.push(reference);
      await serveDirectory(server, makeDemoRepository(reference, server.url).directory);
      digest = digestOfBuild(await reference.run(["build", "hello-mpi", "--json", "--output", "oci:image"]));
      await reference.run(["unpack", "hello-mpi", "--into", reference.path("into")]);
    });
    afterAll(async () => {
      for (const disk of disks) disk.unmount();
      for (const place of places) place.remove();
      await server.close();
    });

    /** A repository, and a small disk at `full/` in it. */
    function prepare(bytes: number): { work: Workplace; disk: SmallDisk } {
      const work = makeWorkplace();
      places.push(work);
      makeDemoRepository(work, server.url);
      const disk = mountSmallDisk(work.path("full"), bytes);
      disks.push(disk);
      return { work, disk };
    }

    // The archives need 2.5 MB, the fragments about as much.
    it.each([60_000, 600_000, 2_800_000, 3_300_000])(
      "for the cache of %d bytes: one error, and the next run goes on",
      async (bytes) => {
        const { work, disk } = prepare(bytes);
        const env = { XDG_CACHE_HOME: work.path("full") };
        const build = ["build", "hello-mpi", "--output", "oci:image"];
        expectRefusal(await work.run([...build, "--quiet"], { env }), refusal);
        expect(readdirSync(work.directory)).not.toContain("image");
        expect(debrisIn(work.directory).filter((path) => !path.endsWith(".partial"))).toEqual([]);
        disk.resize(20_000_000);
        expect(digestOfBuild(await work.run([...build, "--json"], { env }))).toBe(digest);
        expect(debrisIn(work.directory)).toEqual([]);
      },
    );

    it.each(["oci", "oci-archive", "docker-archive", "rootfs"])("for the output as %s", async (kind) => {
      const { work, disk } = prepare(1_000_000);
      const build = ["build", "hello-mpi", "--output", `${kind}:full/image`];
      expectRefusal(await work.run([...build, "--quiet"]), { ...refusal, says: /\/full(\/image)? / });
      // Nothing of it stays, so that there is room again.
      expect(readdirSync(work.path("full"))).toEqual([]);
      expect(used(work.path("full"))).toBeLessThan(20_000);
      disk.resize(40_000_000);
      expect(digestOfBuild(await work.run([...build, "--json"]))).toBe(digest);
      expect(readdirSync(work.path("full"))).toEqual(["image"]);
    });

    it("for an output that was there: the earlier one stays", async () => {
      const { work, disk } = prepare(4_500_000);
      const build = ["build", "hello-mpi", "--output", "oci:full/image"];
      const first = digestOfBuild(await work.run([...build, "--json"]));
      const before = snapshot(work.path("full"));
      disk.resize(used(work.path("full")) + 300_000);
      expectRefusal(await work.run([...build, "--keep-metadata", "--quiet"]), {
        ...refusal,
        says: "full/image",
      });
      const manifest = `/image/blobs/sha256/${first.slice(7)} `;
      const kept = snapshot(work.path("full"));
      expect(kept.filter((line) => before.includes(line))).toEqual(before);
      expect(before.some((line) => line.startsWith(manifest))).toBe(true);
      expect(debrisIn(work.directory)).toEqual([]);
      disk.resize(40_000_000);
      const larger = digestOfBuild(await work.run([...build, "--keep-metadata", "--json"]));
      expect(larger).not.toBe(first);
      expect(digestOfBuild(await work.run([...build, "--json"]))).toBe(first);
      expect(snapshot(work.path("full"))).toEqual(before);
    });

    it("for unpacked files", async () => {
      const { work, disk } = prepare(1_000_000);
      const unpack = ["unpack", "hello-mpi", "--into", "full"];
      expectRefusal(await work.run([...unpack, "--quiet"]), { ...refusal, says: "full" });
      expect(debrisIn(work.directory)).toEqual([]);
      // What is there of the packages is whole.
      const whole = new Set(snapshot(reference.path("into")));
      expect(snapshot(work.path("full")).filter((line) => !whole.has(line))).toEqual([]);
      disk.resize(40_000_000);
      const result = await work.run([...unpack, "--json"]);
      expect(jsonLines(result).at(-1)).toMatchObject({ type: "result", into: work.path("full") });
      expect(snapshot(work.path("full"))).toEqual(snapshot(reference.path("into")));
      expect(readdirSync(join(work.path("full"), "opt")).sort()).toEqual(["software", "view"]);
    });
  },
);

function used(directory: string): number {
  const { blocks, bfree, bsize } = statfsSync(directory);
  return (blocks - bfree) * bsize;
}
