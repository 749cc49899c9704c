import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { blobPath, manifestPath, v3FixedPaths } from "../../../src/buildcache/formats/v3/paths.ts";
import { listKeys } from "../../../src/commands/cache/listKeys.ts";
import { type ListedPackage, listPackages } from "../../../src/commands/cache/listPackages.ts";
import type { CacheRequest } from "../../../src/commands/cache/openNamedCaches.ts";
import { showPackage } from "../../../src/commands/cache/showPackage.ts";
import { verifyPackages } from "../../../src/commands/cache/verifyPackages.ts";
import { digestOf } from "../../../src/util/digest.ts";
import type { WorkEvent } from "../../../src/util/events.ts";
import { makeSpec } from "../../concretize/specs.ts";
import { makeKey, type TestKey } from "../../support/signingKey.ts";
import { builtPrefix, packedSpec, specCache } from "../../support/specCache.ts";
import { writeCache } from "../../support/testCache.ts";

let folder: string;
let events: WorkEvent[];
let key: TestKey;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spacktainers-cache-"));
  vi.stubEnv("XDG_CACHE_HOME", join(folder, "home"));
  events = [];
  key = await makeKey();
  await writeFile(join(folder, "key.pub"), key.armored);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const modern = { modern: true } as const;
const gcc = makeSpec("gcc@12.2.0", { ...modern, external: "/usr" });
const glibc = makeSpec("glibc@2.36", { ...modern, external: "/usr" });
const c = [[gcc, ["c"]]] as const;
const zlib = makeSpec("zlib@1.3.1", { ...modern, build: c, link: [glibc], variants: { pic: true } });
const older = makeSpec("zlib@1.2.13", { ...modern, build: c, variants: { pic: false } });
const mpich = makeSpec("mpich@4.0.2", { ...modern, build: c, link: [zlib] });
const ring = makeSpec("ring@2.0", { ...modern, build: c, link: [[mpich, ["mpi"]], zlib] });
const specs = [ring, mpich, zlib, older, gcc, glibc];

function request(caches: readonly string[], more: Partial<CacheRequest> = {}): CacheRequest {
  return {
    directory: folder,
    caches,
    trust: ["key.pub"],
    refresh: false,
    emit: (event) => events.push(event),
    signal: new AbortController().signal,
    ...more,
  };
}

async function list(caches: readonly string[], asked: readonly string[], sizes = false) {
  const packages: ListedPackage[] = [];
  const totals = await listPackages({ ...request(caches), specs: asked, sizes }, (found) =>
    packages.push(...found),
  );
  return { packages, totals, text: packages.map(({ name, version }) => `${name}@${version}`) };
}

const signed = (options: Parameters<typeof specCache>[1] = {}) =>
  specCache(specs, { sign: (text) => key.sign(text), ...options });

describe("listPackages", () => {
  it("lists by name, the newest version first, with what an index knows and sizes that are asked for", async () => {
    const files = await signed();
    await writeCache(join(folder, "a"), files);
    const { packages, totals, text } = await list(["a"], []);
    expect(text).toEqual(["mpich@4.0.2", "ring@2.0", "zlib@1.3.1", "zlib@1.2.13"]);
    const size = packedSpec(specs, zlib).length;
    expect(packages[2]).toEqual({
      name: "zlib",
      version: "1.3.1",
      hash: zlib.hash,
      compiler: "gcc@12.2.0",
      platform: "linux",
      os: "debian12",
      target: "x86_64_v3",
      namespace: "builtin",
      variants: "+pic",
      size,
      caches: [join(folder, "a")],
    });
    expect(totals).toMatchObject({
      packages: 4,
      of: 4,
      bytes: packages.reduce((sum, one) => sum + (one.size ?? 0), 0),
    });
  });

  it.each([
    [["zlib"], ["zlib@1.3.1", "zlib@1.2.13"]],
    [["zlib@1.3:"], ["zlib@1.3.1"]],
    [["zlib", "~pic"], ["zlib@1.2.13"]],
    [["+pic"], ["zlib@1.3.1"]],
    [["mpi"], ["mpich@4.0.2"]],
    [["ring ^zlib@1.3"], ["ring@2.0"]],
    [
      ["ring", "zlib~pic"],
      ["ring@2.0", "zlib@1.2.13"],
    ],
    [[zlib.hash], ["zlib@1.3.1"]],
    [[`/${older.hash.slice(0, 31)}`], []],
    [["gcc"], []],
    [["%gcc@13"], []],
  ])("lists what satisfies %j", async (asked, expected) => {
    await writeCache(join(folder, "a"), await signed());
    // Hashes in this test differ at their end only.
    const found = (await list(["a"], asked)).text;
    if (asked[0]?.startsWith("/")) expect(found).toContain("zlib@1.2.13");
    else expect(found).toEqual(expected);
  });

  it("knows a provider that Spack's own recipes do not, by the edges of the index", async () => {
    const own = makeSpec("own-mpi@1.0", modern);
    const user = makeSpec("user@1.0", { ...modern, link: [[own, ["mpi"]]] });
    await writeCache(join(folder, "a"), await specCache([own, user]));
    expect((await list(["a"], ["mpi"])).text).toEqual(["own-mpi@1.0"]);
  });

  it("names every cache that has a package, each package once", async () => {
    await writeCache(join(folder, "a"), await signed());
    await writeCache(join(folder, "b"), await specCache([zlib, glibc, gcc]));
    const { packages } = await list(["a", "b"], ["zlib@1.3.1"]);
    expect(packages.map(({ caches }) => caches)).toEqual([[join(folder, "a"), join(folder, "b")]]);
  });

  it("asks for no size of very many unless told to", async () => {
    const many = Array.from({ length: 120 }, (_, at) => makeSpec(`lib${at}@1.0`, modern));
    await writeCache(join(folder, "a"), await specCache(many, { archive: () => Buffer.alloc(1000) }));
    const without = await list(["a"], []);
    expect(without.packages.every(({ size }) => size === undefined)).toBe(true);
    expect(without.totals).toMatchObject({ packages: 120, bytes: undefined });
    expect((await list(["a"], [], true)).totals).toMatchObject({ packages: 120, bytes: 120_000 });
    expect((await list(["a"], ["lib7"])).packages[0]?.size).toBe(1000);
  });

  it("leaves out a cache that cannot be read, with a warning, and fails when it is the only one", async () => {
    await writeCache(join(folder, "a"), await signed());
    expect((await list(["missing", "a"], ["ring"])).text).toEqual(["ring@2.0"]);
    expect(events).toContainEqual(expect.objectContaining({ type: "warning", code: "CACHE_UNAVAILABLE" }));
    await expect(list(["missing"], [])).rejects.toMatchObject({ code: "CACHE_UNAVAILABLE" });
    await expect(list(["a"], ["zlib@"])).rejects.toMatchObject({ code: "SPEC_SYNTAX" });
  });
});

describe("showPackage", () => {
  it("shows dependencies with hashes, and each copy with its digest, signature and prefix", async () => {
    await writeCache(join(folder, "a"), await signed());
    await writeCache(join(folder, "b"), await specCache(specs));
    const shown = await showPackage({ ...request(["a", "b"]), spec: ["mpich"] });
    expect(shown).toMatchObject({ name: "mpich", version: "4.0.2", hash: mpich.hash, generation: "1.x" });
    expect(shown.dependencies).toEqual([
      expect.objectContaining({
        name: "gcc",
        hash: gcc.hash,
        types: ["build"],
        virtuals: ["c"],
        external: "/usr",
      }),
      expect.objectContaining({ name: "zlib", hash: zlib.hash, types: ["link"], external: undefined }),
    ]);
    const archive = packedSpec(specs, mpich);
    const copy = {
      format: "v3",
      digest: digestOf(archive),
      size: archive.length,
      prefix: builtPrefix(mpich),
    };
    expect(shown.copies).toEqual([
      expect.objectContaining({
        ...copy,
        cache: join(folder, "a"),
        signedBy: key.fingerprint,
        problem: undefined,
      }),
      expect.objectContaining({
        ...copy,
        cache: join(folder, "b"),
        signedBy: undefined,
        problem: expect.objectContaining({ code: "SIGNATURE_MISSING" }),
      }),
    ]);
  });

  it("says when the archive is missing", async () => {
    const files = await signed();
    files.delete(blobPath(digestOf(packedSpec(specs, mpich))));
    await writeCache(join(folder, "a"), files);
    const { copies } = await showPackage({ ...request(["a"]), spec: ["mpich"] });
    expect(copies).toMatchObject([
      { signedBy: key.fingerprint, prefix: undefined, problem: { code: "NOT_FOUND" } },
    ]);
  });

  it("asks for a hash where several packages fit, and says which are near where none does", async () => {
    await writeCache(join(folder, "a"), await signed());
    await expect(showPackage({ ...request(["a"]), spec: ["zlib"] })).rejects.toMatchObject({
      code: "USAGE",
      hint: expect.stringContaining(older.hash.slice(0, 7)),
    });
    expect(await showPackage({ ...request(["a"]), spec: [older.hash] })).toMatchObject({ version: "1.2.13" });
    await expect(showPackage({ ...request(["a"]), spec: ["mpihc"] })).rejects.toMatchObject({
      code: "PACKAGE_NOT_CACHED",
      hint: expect.stringContaining("mpich"),
    });
  });
});

describe("verifyPackages", () => {
  const verify = async (
    caches: readonly string[],
    more: Partial<Parameters<typeof verifyPackages>[0]> = {},
  ) => {
    const { findings, ...rest } = await verifyPackages({
      ...request(caches),
      specs: [],
      archives: true,
      jobs: 2,
      ...more,
    });
    return { ...rest, codes: findings.map(({ code, message }) => `${code} ${message}`) };
  };

  it("finds nothing wrong with good packages, and leaves nothing behind", async () => {
    await writeCache(join(folder, "a"), await signed());
    const { caches, codes } = await verify(["a"]);
    expect(codes).toEqual([]);
    expect(caches).toEqual([expect.objectContaining({ packages: 4, earlier: 0 })]);
    expect(await readdir(join(folder, "home/spacktainers/verify"))).toEqual([]);
  });

  it("finds everything that is wrong in one run", async () => {
    const other = await makeKey();
    const files = await signed({
      // An archive of another package, correctly signed.
      archive: (spec) => packedSpec(specs, spec, spec === ring ? { says: zlib } : {}),
    });
    const damaged = blobPath(digestOf(packedSpec(specs, mpich)));
    files.set(damaged, Buffer.from(files.get(damaged) ?? "").fill(7, 40, 50));
    const text = files.get(manifestPath(zlib))?.toString() ?? "";
    const body = text.slice(text.indexOf("{"), text.indexOf("-----BEGIN PGP SIGNATURE"));
    files.set(manifestPath(zlib), Buffer.from(await other.sign(body.trimEnd())));
    files.delete(manifestPath(older));
    await writeCache(join(folder, "a"), files);
    const { codes } = await verify(["a"]);
    expect(codes.sort()).toEqual([
      expect.stringMatching(/^CHECKSUM_MISMATCH mpich@4.0.2/),
      expect.stringMatching(/^IDENTITY_MISMATCH ring@2.0.*says of itself/),
      expect.stringMatching(/^KEY_UNKNOWN zlib@1.3.1/),
      expect.stringMatching(/^PACKAGE_NOT_CACHED zlib@1.2.13.*does not exist/),
    ]);
    // Without archives only what metadata tells.
    expect((await verify(["a"], { archives: false })).codes.map((each) => each.split(" ")[0]).sort()).toEqual(
      ["KEY_UNKNOWN", "PACKAGE_NOT_CACHED"],
    );
  });

  it("finds archives that nobody could unpack", async () => {
    await writeCache(join(folder, "a"), await signed({ archive: () => Buffer.from("no archive at all") }));
    const { codes } = await verify(["a"], { specs: ["mpich"] });
    expect(codes).toEqual([expect.stringMatching(/^ARCHIVE_INVALID mpich/)]);
  });

  it("finds run-time dependencies that no cache has, unless another cache has them", async () => {
    await writeCache(join(folder, "a"), await signed({ without: [zlib] }));
    expect((await verify(["a"])).codes).toEqual([
      expect.stringMatching(/^PACKAGE_NOT_CACHED zlib@1.3.1.* is needed at run time by mpich@.* and 1 other/),
    ]);
    await writeCache(
      join(folder, "b"),
      await specCache([zlib, gcc, glibc], { sign: (text) => key.sign(text) }),
    );
    expect((await verify(["a", "b"])).codes).toEqual([]);
  });

  it("finds a spliced package of which the archive that it is made of is missing", async () => {
    const app = makeSpec("app@1.0", { ...modern, link: [older] });
    const spliced = {
      ...makeSpec("app@1.0", { ...modern, link: [zlib] }),
      buildSpec: { name: "app", hash: app.hash },
    };
    const all = [app, spliced, zlib, older, gcc, glibc];
    const sign = (text: string) => key.sign(text);
    await writeCache(join(folder, "a"), await specCache(all, { sign, without: [app] }));
    expect((await verify(["a"], { specs: [spliced.hash] })).codes).toEqual([
      expect.stringMatching(/^PACKAGE_NOT_CACHED app.* is needed at run time by app@1.0/),
    ]);
    await writeCache(join(folder, "b"), await specCache([app, older, gcc, glibc], { sign }));
    expect((await verify(["a", "b"], { specs: [spliced.hash] })).codes).toEqual([]);
  });

  it("goes on where an interrupted run was, and verifies again when asked to", async () => {
    await writeCache(join(folder, "a"), await signed());
    const abort = new AbortController();
    const stopped = verify(["a"], {
      jobs: 1,
      signal: abort.signal,
      emit: (event) => {
        events.push(event);
        const ended = events.filter((each) => each.type === "task-end" && each.id.startsWith("check:"));
        if (ended.length === 2) abort.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
    events = [];
    expect((await verify(["a"])).caches[0]).toMatchObject({ packages: 4, earlier: 2 });
    expect((await verify(["a"])).caches[0]).toMatchObject({ packages: 4, earlier: 0 });
  });

  it("says when nothing fits", async () => {
    await writeCache(join(folder, "a"), await signed());
    await expect(verify(["a"], { specs: ["hdf5"] })).rejects.toMatchObject({ code: "PACKAGE_NOT_CACHED" });
  });
});

describe("listKeys", () => {
  const published = async (armored: string, name: string) => {
    const files = await signed();
    const blob = (text: string, mediaType: string) => {
      const bytes = Buffer.from(text);
      files.set(blobPath(digestOf(bytes)), bytes);
      const checksum = digestOf(bytes).slice(7);
      return Buffer.from(
        JSON.stringify({
          version: 3,
          data: [
            {
              contentLength: bytes.length,
              mediaType,
              compression: "none",
              checksumAlgorithm: "sha256",
              checksum,
            },
          ],
        }),
      );
    };
    files.set(v3FixedPaths.keyManifest(name), blob(armored, "application/pgp-keys"));
    const list = JSON.stringify({ keys: { [name]: {} } });
    files.set(v3FixedPaths.keyIndexManifest, blob(list, "application/vnd.spack.keyindex.v1+json"));
    return files;
  };

  it("tells published from trusted, and whose a key is", async () => {
    const stranger = await makeKey({ date: new Date("2020-01-01"), lifetimeSeconds: 1000 });
    await writeCache(join(folder, "a"), await published(stranger.armored, stranger.fingerprint));
    const keys = await listKeys(request(["a"]));
    expect(keys.map(({ fingerprint }) => fingerprint)).toEqual(
      [key.fingerprint, stranger.fingerprint].sort(),
    );
    expect(keys.find(({ fingerprint }) => fingerprint === stranger.fingerprint)).toMatchObject({
      published: true,
      trusted: false,
      state: "expired",
      users: ["test <test@example.org>"],
      armored: stranger.armored,
    });
    expect(keys.find(({ fingerprint }) => fingerprint === key.fingerprint)).toMatchObject({
      published: false,
      trusted: true,
      state: "good",
    });
  });

  it("sees through a key under another's name", async () => {
    const stranger = await makeKey();
    await writeCache(join(folder, "a"), await published(stranger.armored, key.fingerprint));
    const [found] = await listKeys({ ...request(["a"]), trust: [] });
    expect(found).toMatchObject({
      trusted: false,
      state: "unreadable",
      problem: expect.stringContaining(stranger.fingerprint),
    });
  });
});
