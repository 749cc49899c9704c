import {
  cpSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { debrisIn, digestOfBuild, expectRefusal, type Refusal } from "../support/cliChecks.ts";
import { type DemoCache, makeDemoRepository } from "../support/demoCache.ts";
import { snapshot } from "../support/fileSnapshot.ts";
import { makeKey, type TestKey } from "../support/signingKey.ts";
import { buildTar, type TarMember } from "../support/tarBuilder.ts";

const build = ["build", "hello-mpi", "--output", "oci:image", "--output", "rootfs:plain"];
const places: Workplace[] = [];
afterAll(() => {
  for (const place of places) place.remove();
});

/** A repository of its own, with an image of an earlier run in it. */
function prepare(reference: Workplace, key: TestKey): { work: Workplace; cache: DemoCache } {
  const work = makeWorkplace();
  places.push(work);
  const cache = makeDemoRepository(work, "cache", key);
  cpSync(reference.path("earlier"), work.path("image"), { recursive: true });
  return { work, cache };
}

/** Flips one bit of a file, in its middle if not told where. */
function flip(path: string, place?: number): void {
  const bytes = readFileSync(path);
  const at = place ?? bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

function edit(path: string, change: (text: string) => string): void {
  const text = readFileSync(path, "utf8");
  const changed = change(text);
  expect(changed).not.toBe(text);
  writeFileSync(path, changed);
}

/** Puts members behind an archive's own. */
function withMembers(tar: Buffer, members: readonly TarMember[]): Buffer {
  let end = tar.length;
  while (tar.subarray(end - 512, end).every((byte) => byte === 0)) end -= 512;
  return Buffer.concat([tar.subarray(0, end), buildTar(members)]);
}

interface Fault {
  readonly name: string;
  readonly refusal: Refusal;
  make(cache: DemoCache, key: TestKey, work: Workplace): void | Promise<void>;
}

const faults: readonly Fault[] = [
  {
    name: "a signature that does not fit",
    refusal: { code: "SIGNATURE_INVALID", status: 5, says: "ring" },
    make: (cache) =>
      edit(cache.manifest("ring"), (text) => text.replace('"contentLength":6210', '"contentLength":6211')),
  },
  {
    name: "a signature by a key nobody trusts",
    refusal: { code: "KEY_UNKNOWN", status: 5, says: "mpich" },
    async make(cache) {
      await cache.replaceArchive("mpich", await makeKey(), (tar) => tar);
    },
  },
  {
    name: "no signature",
    refusal: { code: "SIGNATURE_MISSING", status: 5, says: "ring" },
    make: (cache) =>
      edit(cache.manifest("ring"), (text) => text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1)),
  },
  {
    name: "a flipped bit in an archive",
    refusal: { code: "CHECKSUM_MISMATCH", status: 5, says: "mpich" },
    make: (cache) => flip(cache.archive("mpich")),
  },
  {
    name: "a flipped bit in an archive's first bytes",
    refusal: { code: "CHECKSUM_MISMATCH", status: 5, says: "mpich" },
    make: (cache) => flip(cache.archive("mpich"), 3),
  },
  {
    name: "a truncated archive",
    refusal: { code: "CHECKSUM_MISMATCH", status: 5, says: "mpich" },
    make: (cache) => truncateSync(cache.archive("mpich"), 100_000),
  },
  {
    name: "an archive that is gone",
    refusal: { code: "NOT_FOUND", status: 4, says: /mpich@4\.0\.2\/e445vrq: no such file/ },
    make: (cache) => rmSync(cache.archive("mpich")),
  },
  {
    name: "a signed archive that is cut off",
    refusal: { code: "ARCHIVE_INVALID", status: 1, says: "ring" },
    make: (cache, key) => cache.replaceArchive("ring", key, (tar) => tar.subarray(0, tar.length >> 1)),
  },
  {
    name: "a signed archive that is no archive",
    refusal: { code: "ARCHIVE_INVALID", status: 1, says: "ring" },
    make: (cache, key) =>
      cache.replaceArchive("ring", key, () => Buffer.from("nothing to see here".repeat(100))),
  },
  {
    name: "a path in an archive that leads out by ..",
    refusal: { code: "ARCHIVE_UNSAFE", status: 1, says: "../../escaped" },
    make: (cache, key) =>
      cache.replaceArchive("ring", key, (tar) =>
        withMembers(tar, [{ name: `${cache.builtPrefix("ring").slice(1)}/../../escaped`, body: "out" }]),
      ),
  },
  {
    name: "an absolute path in an archive",
    refusal: { code: "ARCHIVE_UNSAFE", status: 1, says: "/etc/escaped" },
    make: (cache, key) =>
      cache.replaceArchive("ring", key, (tar) => withMembers(tar, [{ name: "/etc/escaped", body: "out" }])),
  },
  {
    name: "a path outside of the package's prefix",
    refusal: { code: "ARCHIVE_UNSAFE", status: 1, says: /"etc" is outside/ },
    make: (cache, key) =>
      cache.replaceArchive("ring", key, (tar) =>
        withMembers(tar, [
          { name: "etc", type: "5", mode: 0o755 },
          { name: "etc/escaped", body: "out" },
        ]),
      ),
  },
  {
    name: "a file that goes through a link",
    refusal: { code: "ARCHIVE_UNSAFE", status: 1, says: "way/escaped" },
    make: (cache, key) =>
      cache.replaceArchive("ring", key, (tar) => {
        const prefix = cache.builtPrefix("ring").slice(1);
        return withMembers(tar, [
          { name: `${prefix}/way`, type: "2", link: "/tmp" },
          { name: `${prefix}/way/escaped`, body: "out" },
        ]);
      }),
  },
  {
    name: "a link that climbs out of the file system",
    refusal: { code: "ARCHIVE_UNSAFE", status: 1, says: "climb" },
    make: (cache, key) =>
      cache.replaceArchive("ring", key, (tar) =>
        withMembers(tar, [
          {
            name: `${cache.builtPrefix("ring").slice(1)}/climb`,
            type: "2",
            link: `${"../".repeat(40)}etc/passwd`,
          },
        ]),
      ),
  },
  {
    name: "a hard link to a file outside",
    refusal: { code: "ARCHIVE_UNSAFE", status: 1, says: "passwd" },
    make: (cache, key) =>
      cache.replaceArchive("ring", key, (tar) =>
        withMembers(tar, [
          { name: `${cache.builtPrefix("ring").slice(1)}/passwd`, type: "1", link: "etc/passwd" },
        ]),
      ),
  },
  {
    name: "a device",
    refusal: { code: "ARCHIVE_UNSAFE", status: 1, says: "disk" },
    make: (cache, key) =>
      cache.replaceArchive("ring", key, (tar) =>
        withMembers(tar, [{ name: `${cache.builtPrefix("ring").slice(1)}/disk`, type: "4" }]),
      ),
  },
  {
    name: "another package's signed manifest under its name",
    refusal: { code: "IDENTITY_MISMATCH", status: 5, says: /gcc-runtime.*mpich/ },
    make: (cache) => cpSync(cache.manifest("gcc-runtime"), cache.manifest("mpich")),
  },
  {
    name: "an index that names other dependencies",
    refusal: { code: "IDENTITY_MISMATCH", status: 5, says: "ring" },
    make: (cache) =>
      cache.changeIndex((installs) => {
        for (const { spec } of Object.values(installs))
          if (spec.name === "ring")
            spec.dependencies = (spec.dependencies as { name: string }[]).filter(
              ({ name }) => name !== "gcc-runtime",
            );
      }),
  },
  {
    name: "an index that names other variants",
    refusal: { code: "IDENTITY_MISMATCH", status: 5, says: "the variants of mpich@4.0.2" },
    make: (cache) =>
      cache.changeIndex((installs) => {
        for (const { spec } of Object.values(installs))
          if (spec.name === "mpich") spec.parameters = { ...(spec.parameters as object), cuda: true };
      }),
  },
  {
    name: "an index that names another processor",
    refusal: { code: "IDENTITY_MISMATCH", status: 5, says: "the target and system of ring@1.0.0" },
    make: (cache) =>
      cache.changeIndex((installs) => {
        for (const { spec } of Object.values(installs))
          if (spec.name === "ring") spec.arch = { ...(spec.arch as object), target: "x86_64_v2" };
      }),
  },
  {
    name: "an index that takes a dependency for one of the system",
    refusal: { code: "IDENTITY_MISMATCH", status: 5, says: /the dependencies of (ring|mpich)/ },
    make: (cache) =>
      cache.changeIndex((installs) => {
        for (const { spec } of Object.values(installs))
          if (spec.name === "gcc-runtime") spec.external = { path: "/usr", module: null };
      }),
  },
  {
    name: "signed metadata that says the package is external",
    refusal: { code: "CACHE_INVALID", status: 4, says: "ring@1.0.0/yv5ulaa: the spec file says" },
    make: (cache, key) =>
      cache.replaceSpec("ring", key, (node) => {
        node.external = { path: "/usr", module: null };
      }),
  },
  {
    name: "signed metadata that cannot be read",
    refusal: { code: "CACHE_INVALID", status: 4, says: "ring@1.0.0/yv5ulaa: the name" },
    make: (cache, key) =>
      cache.replaceSpec("ring", key, (node) => {
        node.name = 7;
      }),
  },
  {
    name: "an index that names another version",
    // Its name is made of the version: nothing is there.
    refusal: { code: "PACKAGE_NOT_CACHED", status: 4, says: "ring@9.9.9" },
    make: (cache) =>
      cache.changeIndex((installs) => {
        for (const { spec } of Object.values(installs)) if (spec.name === "ring") spec.version = "9.9.9";
      }),
  },
  {
    name: "an index that lists what is not there",
    refusal: { code: "PACKAGE_NOT_CACHED", status: 4, says: "mpich", hint: "spacktainers cache index" },
    make: (cache) => rmSync(cache.manifest("mpich")),
  },
  {
    name: "an index in which packages depend on each other",
    refusal: { code: "NO_SOLUTION", status: 3, count: 2, says: "spack.yaml:7:5", hint: "form a circle" },
    make: (cache) =>
      cache.changeIndex((installs) => {
        const specs = Object.values(installs).map(({ spec }) => spec);
        for (const ring of specs.filter(({ name }) => name === "ring")) {
          const edge = { name: "ring", hash: ring.hash, parameters: { deptypes: ["link"], virtuals: [] } };
          const needed = ring.dependencies as readonly { readonly hash: string }[];
          for (const mpich of specs.filter(
            ({ name, hash }) => name === "mpich" && needed.some((one) => one.hash === hash),
          ))
            mpich.dependencies = [...((mpich.dependencies as object[]) ?? []), edge];
        }
      }),
  },
  {
    name: "an index that lacks a dependency",
    refusal: { code: "NO_SOLUTION", status: 3, count: 2, says: "spack.yaml:7:5" },
    make: (cache) =>
      cache.changeIndex((installs) => {
        for (const [hash, { spec }] of Object.entries(installs))
          if (spec.name === "mpich") delete installs[hash];
      }),
  },
  {
    name: "an index with a flipped bit",
    refusal: { code: "CHECKSUM_MISMATCH", status: 5, says: "cache" },
    make: (cache) => flip(cache.index()),
  },
  {
    name: "an index manifest that is no JSON",
    refusal: { code: "CACHE_INVALID", status: 4, says: "index.manifest.json" },
    make: (cache) => writeFileSync(join(cache.directory, "v3/manifests/index/index.manifest.json"), "<html>"),
  },
  {
    name: "a folder that is no cache",
    refusal: { code: "CACHE_UNAVAILABLE", status: 4, says: "cache" },
    make: (cache) => rmSync(cache.directory, { recursive: true }),
  },
];

describe("a build from a cache with a fault in it", () => {
  const reference = makeWorkplace();
  places.push(reference);
  let key: TestKey;
  let digest: string;
  let earlier: readonly string[];

  beforeAll(async () => {
    key = await makeKey();
    makeDemoRepository(reference, "cache", key);
    digest = digestOfBuild(await reference.run([...build, "--json"]));
    digestOfBuild(
      await reference.run(["build", "hello-mpi", "--no-strip", "--output", "oci:earlier", "--json"]),
    );
    earlier = snapshot(reference.path("earlier"));
  });

  it.each(faults)("says what is wrong with $name, and recovers", async ({ make, refusal }) => {
    const { work, cache } = prepare(reference, key);
    await make(cache, key, work);
    const result = await work.run([...build, "--quiet"]);
    expectRefusal(result, refusal);
    expect(snapshot(work.path("image"))).toEqual(earlier);
    expect(existsSync(work.path("plain"))).toBe(false);
    expect(existsSync("/tmp/escaped")).toBe(false);

    rmSync(cache.directory, { recursive: true, force: true });
    cpSync(reference.path("cache"), cache.directory, { recursive: true });
    expect(digestOfBuild(await work.run([...build, "--json"]))).toBe(digest);
    expect(debrisIn(work.directory)).toEqual([]);
    expect(lstatSync(work.path("plain/opt/view")).isSymbolicLink()).toBe(true);
  });
});

describe("unpacking from a cache with a fault in it", () => {
  const reference = makeWorkplace();
  places.push(reference);
  const unpack = ["unpack", "hello-mpi", "--into", "into"];
  const hostile = faults.filter(({ refusal }) => refusal.code === "ARCHIVE_UNSAFE");
  let key: TestKey;

  beforeAll(async () => {
    key = await makeKey();
    makeDemoRepository(reference, "cache", key);
    expect((await reference.run(unpack)).status).toBe(0);
  });

  it.each(hostile)("writes nothing outside for $name", async ({ make, refusal }) => {
    const work = makeWorkplace();
    places.push(work);
    const cache = makeDemoRepository(work, "cache", key);
    await make(cache, key, work);
    expectRefusal(await work.run([...unpack, "--quiet"]), refusal);
    expect(readdirSync(work.directory).sort()).toEqual(readdirSync(reference.directory).sort());
    const whole = new Set(snapshot(reference.path("into")));
    expect(snapshot(work.path("into")).filter((line) => !whole.has(line))).toEqual([]);
    expect(existsSync(work.path("into/opt/view"))).toBe(false);
    expect(debrisIn(work.directory)).toEqual([]);
  });

  it("keeps what was unpacked earlier, and replaces it when all is well again", async () => {
    const work = makeWorkplace();
    places.push(work);
    const cache = makeDemoRepository(work, "cache", key);
    cpSync(reference.path("into"), work.path("into"), { recursive: true, verbatimSymlinks: true });
    flip(cache.archive("ring"));
    const refusal = { code: "CHECKSUM_MISMATCH", status: 5, says: "ring" };
    expectRefusal(await work.run([...unpack, "--quiet"]), refusal);
    expect(snapshot(work.path("into"))).toEqual(snapshot(reference.path("into")));
    cpSync(reference.path("cache"), cache.directory, { recursive: true });
    expect((await work.run(unpack)).status).toBe(0);
    expect(snapshot(work.path("into"))).toEqual(snapshot(reference.path("into")));
    expect(debrisIn(work.directory)).toEqual([]);
  });
});
