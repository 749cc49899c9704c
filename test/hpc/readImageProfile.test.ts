import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { ImageProfile } from "../../src/hpc/imageProfile.ts";
import { readImageProfile } from "../../src/hpc/readImageProfile.ts";
import { openLayout } from "../../src/image/openLayout.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { writeLdSoCache } from "../../src/view/ldSoCache.ts";
import { buildElf } from "../support/elfBuilder.ts";
import { file, type LayoutParts, symlink, writeTestLayout } from "../support/hostImage.ts";

const folder = mkdtempSync(join(tmpdir(), "spacktainers-facts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

async function layoutOf(parts: Omit<LayoutParts, "architecture">): Promise<string> {
  return writeTestLayout(join(folder, `image${count++}`), { ...parts, architecture: "amd64" });
}

async function factsOf(layout: string): Promise<ImageProfile> {
  const image = await openLayout(layout, {
    platforms: [{ os: "linux", architecture: "amd64" }],
    reference: undefined,
  });
  return readImageProfile(image, { cache: join(folder, "cache"), emit: ignoreEvents });
}

const library = (soname: string): Buffer => buildElf({ soname });
const script = (text: string) => file("etc/profile.d/z10_spack_environment.sh", text);

describe("readImageProfile", () => {
  it("reads an image with nothing special in it", async () => {
    expect(await factsOf(await layoutOf({ layers: [[file("etc/hostname", "x\n")]] }))).toEqual({
      architecture: "amd64",
      commands: [],
      mpi: [],
      bundled: [],
      programs: [],
      unresolved: [],
      closed: [],
      missingPreload: [],
      drivers: [],
      hasShell: false,
    });
  });

  it("reads layers without an end, as some tools write them", async () => {
    const layers = [[file("etc/hostname", "x\n"), file("lib/libmpi.so.12", library("libfabric.so.1"))]];
    const layout = await layoutOf({ layers, trailer: false });
    expect(await factsOf(layout)).toMatchObject({ architecture: "amd64", mpi: [] });
  });

  it("sees the files that layers on top leave, links followed", async () => {
    const cache = writeLdSoCache([
      { name: "libmpi.so.12", path: "/opt/view/lib/libmpi.so.12", flags: 0x0303 },
      { name: "libmpicxx.so.12", path: "/opt/view/lib/gone", flags: 0x0303 },
      { name: "libz.so.1", path: "/lib/libz.so.1", flags: 0x0303 },
    ]);
    const layout = await layoutOf({
      layers: [
        [
          file("opt/a/lib/libfabric.so.1", library("libfabric.so.1")),
          file("opt/a/lib/libcxi.so.1.5", library("libcxi.so.1")),
          file("opt/a/lib/libmpi.so.12.1", library("libmpi.so.12")),
          file("etc/ld.so.cache", "old"),
        ],
        [
          file("opt/a/lib/.wh.libcxi.so.1.5", ""),
          symlink("opt/view/lib/libmpi.so.12", "/opt/a/lib/libmpi.so.12.1"),
          file("etc/ld.so.cache", cache),
          script("export LD_LIBRARY_PATH=/opt/view/lib\n"),
        ],
      ],
      config: { Env: ["LD_LIBRARY_PATH=/opt/lib", "PATH=/opt/view/bin"] },
    });
    const facts = await factsOf(layout);
    expect(facts.bundled).toEqual([
      { name: "libfabric", path: "/opt/a/lib/libfabric.so.1", soname: "libfabric.so.1" },
    ]);
    // As names of the loader go, the cache has the greatest first.
    expect(facts.cachedMpi).toEqual([
      { name: "libmpicxx.so.12", path: "/opt/view/lib/gone" },
      { name: "libmpi.so.12", path: "/opt/view/lib/libmpi.so.12", file: "/opt/a/lib/libmpi.so.12.1" },
    ]);
    expect(facts).toMatchObject({
      environmentScript: { keepsHostLibraries: false },
      libraryPath: "/opt/lib",
    });
    // It is called like MPI and has none of it.
    expect(facts.mpi).toEqual([]);
    expect(await factsOf(layout)).toEqual(JSON.parse(JSON.stringify(facts)));
  });

  it("says what is wrong with the cache, and where libraries are kept", async () => {
    const facts = await factsOf(
      await layoutOf({
        layers: [
          [file("etc/ld.so.cache", "nonsense"), script('LD_LIBRARY_PATH="$x:/.singularity.d/libs"\n')],
        ],
      }),
    );
    expect(facts.cacheTrouble).toContain("is not of a kind that is known");
    expect(facts.cachedMpi).toBeUndefined();
    expect(facts.environmentScript?.keepsHostLibraries).toBe(true);
  });

  it("refuses a lock that is none, and a layer that is another, and remembers neither", async () => {
    const lock = await layoutOf({ layers: [[file("opt/spack-environment/spack.lock", "{}")]] });
    await expect(factsOf(lock)).rejects.toMatchObject({ code: "LOCK_INVALID" });
    const damaged = await layoutOf({ layers: [[file("a", "1")], [file("b", "22")]] });
    const blobs = join(damaged, "blobs/sha256");
    const layers = readdirSync(blobs).filter((name) => readFileSync(join(blobs, name))[0] === 0x1f);
    const [one = "", other = ""] = layers;
    const bytes = readFileSync(join(blobs, one));
    const size = readFileSync(join(blobs, other)).length;
    if (bytes.length === size) writeFileSync(join(blobs, other), bytes);
    else writeFileSync(join(blobs, other), Buffer.alloc(size));
    await expect(factsOf(damaged)).rejects.toMatchObject({
      code: expect.stringMatching(/^(CHECKSUM_MISMATCH|ARCHIVE_INVALID)$/),
    });
    await expect(factsOf(damaged)).rejects.toThrow();
  });
});
