import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { buildBase } from "../../src/base/buildBase.ts";
import type { Base, BuildBaseOptions, DebianBaseSpec } from "../../src/base/types.ts";
import { layerEntries } from "../../src/image/layerEntries.ts";
import { openHttp } from "../../src/net/http.ts";
import type { WorkEvent } from "../../src/util/events.ts";
import { plainData } from "../support/plainData.ts";
import { makeKey, revocationOf } from "../support/signingKey.ts";
import { makeSigningKey, type SigningKey, startArchive, type TestArchive } from "./makeArchive.ts";
import { type DebParts, file } from "./makeDeb.ts";

let key: SigningKey;
let folder: string;
let archive: TestArchive;
let cacheDir: string;
let events: WorkEvent[];
const http = openHttp({ retries: 0 });

beforeAll(async () => {
  key = await makeSigningKey();
  folder = await mkdtemp(join(tmpdir(), "base-"));
  await writeFile(join(folder, "key.asc"), key.publicKey);
});
afterAll(async () => {
  await http.close();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  archive = await startArchive(key);
  cacheDir = await mkdtemp(join(folder, "cache-"));
  events = [];
  await archive.publish("bookworm", [libc("2.36-1"), app("1.0")]);
});
afterEach(() => archive.close());

const libc = (version: string): DebParts => ({
  name: "libc6",
  version,
  entries: [file("lib/libc", version)],
});
const app = (version: string): DebParts => ({
  name: "app",
  version,
  architecture: "all",
  entries: [file("usr/bin/app", version, 0o755)],
  fields: { Depends: "libc6" },
});

function build(
  changes: Partial<DebianBaseSpec> = {},
  options: Partial<BuildBaseOptions> = {},
): Promise<Base> {
  archive.requests.length = 0;
  const spec: DebianBaseSpec = {
    kind: "debian",
    distribution: "debian",
    suite: "bookworm",
    packages: ["app"],
    mirrors: [archive.url],
    securityMirrors: [archive.url],
    keyring: [join(folder, "key.asc")],
    ...changes,
  };
  return buildBase(spec, {
    architecture: "amd64",
    cacheDir,
    emit: (event) => events.push(event),
    http,
    ...options,
  });
}

async function pathsOf(base: Base): Promise<string[]> {
  const paths: string[] = [];
  for (const layer of base.layers) for await (const { path } of layerEntries(layer)) paths.push(path);
  return paths;
}

const versions = (base: Base): string[] => base.packages.map(({ name, version }) => `${name} ${version}`);

describe("a base of packages", () => {
  test("is resolved, verified, unpacked, described", async () => {
    const base = await build();
    expect(versions(base)).toEqual(["app 1.0", "libc6 2.36-1"]);
    expect(base.packages[0]).toMatchObject({
      filename: "pool/app_1.0_all.deb",
      url: "http://deb.debian.org/debian/pool/app_1.0_all.deb",
    });
    expect(base.libcVersion).toBe("2.36");
    expect(base.layers).toHaveLength(1);
    const paths = await pathsOf(base);
    expect([...paths].sort()).toEqual(base.inventory.entries.map(({ path }) => path));
    expect(paths).toContain("usr/bin/app");
    expect(base.inventory.entries.find(({ path }) => path === "usr/bin/app")).toMatchObject({
      mode: 0o755,
      size: 3,
    });
    expect(events.filter((event) => event.type === "warning")).toHaveLength(2);
    expect(await readdir(join(cacheDir, "incoming"))).toEqual([]);
  });

  test("a second time nothing is asked and nothing built", async () => {
    const first = await build();
    const second = await build();
    expect(archive.requests).toEqual([]);
    expect(plainData(second)).toEqual(plainData(first));
  });

  test("the same packages give the same bytes elsewhere", async () => {
    const first = await build();
    cacheDir = await mkdtemp(join(folder, "cache-"));
    const second = await build();
    expect(second.layers[0]?.digest).toBe(first.layers[0]?.digest);
    expect(second.key).toBe(first.key);
  });

  test("a refresh asks whether the index changed, and only that", async () => {
    await build();
    await build({}, { refresh: true });
    expect(archive.requests.sort()).toEqual([
      "304 debian/dists/bookworm/InRelease",
      "404 debian/dists/bookworm-security/InRelease",
      "404 debian/dists/bookworm-updates/InRelease",
    ]);
  });

  test("so does a build when the last answer is old", async () => {
    await build();
    await archive.publish("bookworm", [libc("2.36-2"), app("1.0")]);
    expect(versions(await build())).toContain("libc6 2.36-1");
    expect(versions(await build({}, { maxAgeHours: 0 }))).toContain("libc6 2.36-2");
    expect(archive.requests.some((request) => request.includes("app_1.0"))).toBe(false);
  });

  test("the newest of the suite, its updates and its security updates is taken", async () => {
    await archive.publish("bookworm-updates", [libc("2.36-3")]);
    await archive.publish("bookworm-security", [libc("2.36-4")]);
    const base = await build();
    expect(versions(base)).toContain("libc6 2.36-4");
    expect(base.packages.find(({ name }) => name === "libc6")?.archive).toBe("security");
  });

  test("another architecture", async () => {
    await archive.publish("bookworm", [{ ...libc("2.36-1"), architecture: "arm64" }, app("1.0")]);
    const base = await build({}, { architecture: "arm64" });
    expect(base.packages.map(({ architecture }) => architecture)).toEqual(["all", "arm64"]);
    expect(base.inventory.entries.find(({ path }) => path === "lib64")).toBeUndefined();
    await expect(build()).rejects.toMatchObject({ code: "BASE_UNSATISFIABLE" });
  });

  test("a lock gives the same packages although there are newer ones, without an index", async () => {
    const first = await build();
    await archive.publish("bookworm", [libc("2.36-9"), app("2.0")]);
    cacheDir = await mkdtemp(join(folder, "cache-"));
    const locked = await build({}, { lock: { packages: first.packages } });
    expect(locked.layers[0]?.digest).toBe(first.layers[0]?.digest);
    expect(archive.requests.filter((request) => request.includes("dists"))).toEqual([]);
    const broken = first.packages.map(({ digest: _, ...one }) => one);
    await expect(build({}, { lock: { packages: broken } })).rejects.toMatchObject({ code: "LOCK_INVALID" });
  });

  test("what is old and unfinished is cleared away after a build", async () => {
    await mkdir(join(cacheDir, "incoming"), { recursive: true });
    for (const [name, time] of [
      ["old", 1],
      ["new", Date.now() / 1000],
    ] as const) {
      await writeFile(join(cacheDir, "incoming", name), "x");
      await utimes(join(cacheDir, "incoming", name), time, time);
    }
    await build();
    expect(await readdir(join(cacheDir, "incoming"))).toEqual(["new"]);
  });

  test("other excludes give another layer from the same downloads", async () => {
    const first = await build();
    const second = await build({ excludes: ["usr/bin/*"] });
    expect(archive.requests).toEqual([]);
    expect(second.layers[0]?.digest).not.toBe(first.layers[0]?.digest);
    expect(second.inventory.entries.some(({ path }) => path === "usr/bin/app")).toBe(false);
  });
});

describe("libraries that packages were linked with", () => {
  const library = (name: string): DebParts => ({
    name,
    entries: [file(`usr/lib/x86_64-linux-gnu/${name}.so`, name)],
  });
  const contents = gzipSync(
    `usr/lib/x86_64-linux-gnu/libmpi.so.40                   libs/libopenmpi3
usr/lib/x86_64-linux-gnu/openmpi/libhidden.so.1         libs/hidden
usr/lib/libodd name.so.2                                universe/libs/odd,libs/another
`,
  );
  const publish = (): Promise<void> =>
    archive.publish(
      "bookworm",
      [libc("2.36-1"), app("1.0"), ...["libssl3", "libopenmpi3", "hidden", "another"].map(library)],
      { indexes: { "main/Contents-amd64.gz": contents } },
    );
  const names = ({ packages }: Base): readonly string[] => packages.map(({ name }) => name);

  test("come from packages that are named after them, without a further index", async () => {
    await publish();
    expect(names(await build({ libraries: ["libssl.so.3"] }))).toEqual(["app", "libc6", "libssl3"]);
    expect(archive.requests.join()).not.toContain("Contents");
  });

  test("come from packages with another name by the archive's list of files", async () => {
    await publish();
    const base = await build({
      libraries: ["libhidden.so.1", "libmpi.so.40", "libnone.so.1", "libodd name.so.2"],
    });
    expect(names(base)).toEqual(["another", "app", "libc6", "libopenmpi3"]);
  });

  test("are left out where the list of files cannot be had, and refused where it was changed", async () => {
    await publish();
    const paths = [...archive.files.keys()].filter(
      (path) => archive.files.get(path)?.length === contents.length,
    );
    for (const path of paths) archive.files.set(path, Buffer.alloc(contents.length));
    await expect(build({ libraries: ["libmpi.so.40"] })).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    for (const path of paths) archive.files.delete(path);
    expect(names(await build({ libraries: ["libmpi.so.40"] }))).toEqual(["app", "libc6"]);
  });
});

describe("a hostile or broken archive", () => {
  const set = (path: string, change: (bytes: Buffer) => Buffer) => {
    const bytes = archive.files.get(path);
    if (bytes === undefined) throw new Error(`no ${path}`);
    archive.files.set(path, change(Buffer.from(bytes)));
  };
  const flip = (bytes: Buffer): Buffer => {
    const at = Math.floor(bytes.length / 2);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return bytes;
  };
  const nothingBuilt = async () => expect(await readdir(join(cacheDir, "built")).catch(() => [])).toEqual([]);

  test("an index changed on its way", async () => {
    set("debian/dists/bookworm/InRelease", (bytes) =>
      Buffer.from(bytes.toString().replace("Debian", "Debiam")),
    );
    await expect(build()).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
    await nothingBuilt();
  });

  test("a key nobody trusts, another suite, an old index", async () => {
    await archive.publish("bookworm", [app("1")], { key: await makeSigningKey() });
    await expect(build()).rejects.toMatchObject({ code: "KEY_UNKNOWN" });
    await archive.publish("trixie", [app("1")]);
    archive.files.set(
      "debian/dists/bookworm/InRelease",
      archive.files.get("debian/dists/trixie/InRelease") ?? Buffer.alloc(0),
    );
    await expect(build()).rejects.toMatchObject({ code: "IDENTITY_MISMATCH" });
    await archive.publish("bookworm", [app("1")], {
      fields: { "Valid-Until": "Sat, 18 Jul 2020 10:16:37 UTC" },
    });
    await expect(build()).rejects.toMatchObject({ code: "INDEX_EXPIRED" });
    await nothingBuilt();
  });

  test("a package index that is not the one signed", async () => {
    for (const path of archive.files.keys()) if (path.includes("binary-amd64")) set(path, flip);
    await expect(build()).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    await nothingBuilt();
  });

  test("a package that is not the one in the index; the next run works", async () => {
    const path = "debian/pool/app_1.0_all.deb";
    const good = Buffer.from(archive.files.get(path) ?? []);
    set(path, flip);
    await expect(build()).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    await nothingBuilt();
    set(path, (bytes) => bytes.subarray(0, 100));
    await expect(build()).rejects.toMatchObject({ name: "SpacktainersError" });
    archive.files.set(path, good);
    await expect(build()).resolves.toBeDefined();
  });

  test.each([
    ["name", { name: "other" }],
    ["version", { ...app("1.1") }],
    ["architecture", { ...app("1.0"), architecture: "amd64" }],
  ])("a package under another's %s", async (_, parts) => {
    const { makeDeb, packagesParagraph, sha256 } = await import("./makeDeb.ts");
    const { gzipSync } = await import("node:zlib");
    const { releaseText, sign } = await import("./makeArchive.ts");
    const deb = await makeDeb(parts);
    archive.files.set("debian/pool/app_1.0_all.deb", deb);
    const index = gzipSync(packagesParagraph({ ...app("1.0"), fields: {} }, deb));
    const files = new Map([["main/binary-amd64/Packages.gz", index]]);
    archive.files.set(`debian/dists/bookworm/main/binary-amd64/by-hash/SHA256/${sha256(index)}`, index);
    archive.files.set(
      "debian/dists/bookworm/InRelease",
      Buffer.from(await sign(releaseText({ suite: "bookworm", files }), key)),
    );
    await expect(build()).rejects.toMatchObject({ code: "IDENTITY_MISMATCH" });
  });

  test("an archive without folders by hash, or that lost them", async () => {
    for (const path of archive.files.keys()) if (path.includes("by-hash")) archive.files.delete(path);
    await expect(build()).resolves.toBeDefined();
  });

  test("a suite, component, architecture or package that is not there", async () => {
    await expect(build({ suite: "nowhere" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(build({ components: ["universe"] })).rejects.toMatchObject({
      code: "BASE_INVALID",
      hint: "it has: main",
    });
    await expect(build({ components: ["../x"] })).rejects.toMatchObject({ code: "BASE_INVALID" });
    await expect(build({ packages: ["app", "appp"] })).rejects.toMatchObject({ hint: "did you mean app?" });
    await archive.publish("bookworm", [app("1")], { fields: { Architectures: "all arm64" } });
    await expect(build()).rejects.toMatchObject({ code: "BASE_UNSATISFIABLE", hint: "it has: arm64" });
  });

  test("an archive that cannot be reached: what was chosen before still serves", async () => {
    const first = await build();
    await archive.close();
    const second = await build({}, { maxAgeHours: 0 });
    expect(plainData(second.layers)).toEqual(plainData(first.layers));
    expect(events.some((event) => event.type === "warning" && event.code === "NETWORK")).toBe(true);
    await expect(build({}, { refresh: true })).rejects.toMatchObject({ code: "NETWORK" });
  });

  test("what was chosen is remembered for as long as the key is good, by any clock", async () => {
    const day = 86_400_000;
    const short = await makeKey({ date: new Date(Date.now() - day), lifetimeSeconds: 30 * 86_400 });
    const keyring = [join(folder, "short.asc")];
    await writeFile(keyring[0] ?? "", short.armored);
    const signer = { privateKey: short.privateKey, publicKey: short.armored };
    await archive.publish("bookworm", [libc("2.36-1"), app("1.0")], { key: signer });
    const at = (days: number, options: Partial<BuildBaseOptions> = {}) =>
      build({ keyring }, { clock: () => Date.now() + days * day, maxAgeHours: 24 * 365 * 10, ...options });
    const first = await at(0);
    for (const days of [0.1, 1, 28]) {
      expect(plainData(await at(days))).toEqual(plainData(first));
      expect(archive.requests).toEqual([]);
    }
    const expired = { code: "KEY_INVALID", message: expect.stringContaining("expired") };
    for (const days of [30, 365]) {
      await expect(at(days)).rejects.toMatchObject(expired);
      await expect(at(days, { maxAgeHours: 0 })).rejects.toMatchObject(expired);
    }
    // Not even when nobody answers.
    archive.files.clear();
    await expect(at(365)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(plainData(await at(1))).toEqual(plainData(first));
  });

  test("a revocation that arrives ends what was chosen at once", async () => {
    const owner = await makeKey();
    const path = join(folder, "owner.asc");
    await writeFile(path, owner.armored);
    const signer = { privateKey: owner.privateKey, publicKey: owner.armored };
    await archive.publish("bookworm", [libc("2.36-1"), app("1.0")], { key: signer });
    await build({ keyring: [path] });
    await writeFile(path, owner.armored + (await revocationOf(owner)));
    const refused = { code: "KEY_INVALID", message: expect.stringContaining("revoked") };
    await expect(build({ keyring: [path] })).rejects.toMatchObject(refused);
    await writeFile(path, owner.armored);
    await build({ keyring: [path] });
    await writeFile(join(folder, "revocation.asc"), await revocationOf(owner));
    for (const keyring of [
      [path, join(folder, "revocation.asc")],
      [join(folder, "revocation.asc"), path],
    ])
      await expect(build({ keyring })).rejects.toMatchObject(refused);
  });

  test("damaged files in our own cache are made again", async () => {
    const first = await build();
    for (const directory of ["built", "requests", "releases"])
      for (const name of await readdir(join(cacheDir, directory)))
        await writeFile(join(cacheDir, directory, name), "{");
    const second = await build();
    expect(second.layers[0]?.digest).toBe(first.layers[0]?.digest);
  });

  test("an interruption leaves nothing that is half made", async () => {
    const controller = new AbortController();
    const emit = (event: WorkEvent): void => {
      if (event.type === "task-start" && event.kind === "base") controller.abort();
    };
    await expect(build({}, { emit, signal: controller.signal })).rejects.toMatchObject({
      code: "INTERRUPTED",
    });
    await nothingBuilt();
    expect(await readdir(join(cacheDir, "layers", "incoming")).catch(() => [])).toEqual([]);
    await expect(build()).resolves.toBeDefined();
  });
});
