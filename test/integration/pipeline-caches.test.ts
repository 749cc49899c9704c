import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasCephServer, startCephServer } from "../support/cephServer.ts";
import { type CommandResult, makeWorkplace, type Workplace } from "../support/cli.ts";
import { debrisIn, digestOfBuild, expectRefusal, jsonLines } from "../support/cliChecks.ts";
import { type DemoCache, demoCache, makeDemoRepository } from "../support/demoCache.ts";
import { type FaultProxy, type Hindrance, startFaultProxy } from "../support/faultProxy.ts";
import { type FaultServer, serveDirectory, shortened, startFaultServer } from "../support/faultServer.ts";
import { hasS3Server, type S3Server, startS3Server } from "../support/s3Server.ts";
import { makeKey, type TestKey } from "../support/signingKey.ts";
import { freePort, hasNginx, type StaticServer, startNginx } from "../support/staticServer.ts";

const build = ["build", "hello-mpi", "--json", "--output", "oci:image"];
const quiet = ["build", "hello-mpi", "--quiet", "--output", "oci:image"];

const places: Workplace[] = [];
const proxies: FaultProxy[] = [];
let reference: Workplace;
let cache: DemoCache;
let digest: string;
let archivePath: string;

beforeAll(async () => {
  reference = makeWorkplace();
  places.push(reference);
  cache = makeDemoRepository(reference);
  archivePath = cache.archive("mpich").slice(cache.directory.length);
  digest = digestOfBuild(await reference.run(build));
});
afterAll(async () => {
  for (const proxy of proxies) await proxy.close();
  for (const place of places) place.remove();
});

/** A repository that knows a cache by its URL alone. */
function repository(url: string, more = ""): Workplace {
  const work = makeWorkplace();
  places.push(work);
  makeDemoRepository(work);
  const settings = `url: ${JSON.stringify(url)}, trust: [cache.pub]${more}`;
  const rest = readFileSync(work.path("spacktainers.yaml"), "utf8").split("\n").slice(2).join("\n");
  writeFileSync(work.path("spacktainers.yaml"), `caches:\n- {${settings}}\n${rest}`);
  return work;
}

async function between(
  target: string,
  hinder: (path: string, before: number) => Hindrance | undefined,
): Promise<FaultProxy> {
  const proxy = await startFaultProxy(target, hinder);
  proxies.push(proxy);
  return proxy;
}

/** Everything goes wrong at first: each path is refused, then cut off, before it comes through. */
function wrongAtFirst(path: string, before: number): Hindrance | undefined {
  if (before === 0) return { status: 503 };
  if (before === 1) return { status: 429, headers: { "retry-after": "0" } };
  // The first bytes of an archive are asked for by themselves, before the whole.
  if (before === 2 || (before === 3 && path.includes(archivePath)))
    return { resetAfter: path.includes(archivePath) ? 1_000_000 : 100 };
  return undefined;
}

async function expectBuilt(work: Workplace, env: NodeJS.ProcessEnv = {}): Promise<void> {
  expect(digestOfBuild(await work.run(build, { env }))).toBe(digest);
  expect(debrisIn(work.directory)).toEqual([]);
}

describe.skipIf(!hasNginx())("a cache served by nginx (skipped where it is not installed)", () => {
  let nginx: StaticServer;
  let guarded: StaticServer;
  beforeAll(async () => {
    nginx = await startNginx(cache.directory);
    guarded = await startNginx(cache.directory, "s3cr3t-word");
  });
  afterAll(async () => {
    await nginx.close();
    await guarded.close();
  });

  it("gives the image that the local cache gives, and asks for archives once", async () => {
    const work = repository(nginx.url);
    await expectBuilt(work);
    const before = (await nginx.log()).length;
    expect(digestOfBuild(await work.run([...build, "--output", "oci:other"]))).toBe(digest);
    const asked = (await nginx.log()).slice(before);
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.filter((line) => line.includes("/blobs/"))).toEqual([]);
  });

  it("gives it through a line on which everything fails at first, and goes on where it broke off", async () => {
    const proxy = await between(nginx.url, wrongAtFirst);
    const work = repository(proxy.url);
    const result = await work.run(build);
    expect(digestOfBuild(result)).toBe(digest);
    const retries = jsonLines(result).filter(({ type }) => type === "retry");
    expect(retries.length).toBeGreaterThan(5);
    expect(proxy.log).toContainEqual(
      expect.stringMatching(new RegExp(`^206 ${archivePath} bytes=[1-9]\\d+-$`)),
    );
    expect(debrisIn(work.directory)).toEqual([]);
  });

  it("says so when the line stays cut, and goes on when it is mended", async () => {
    let cut = true;
    const proxy = await between(nginx.url, (path) =>
      cut && path === archivePath ? { resetAfter: 0 } : undefined,
    );
    const work = repository(proxy.url);
    expectRefusal(await work.run(quiet), {
      code: "NETWORK",
      status: 4,
      says: "127.0.0.1",
      hint: "run the same command again to continue",
    });
    expect(readdirSync(work.directory)).not.toContain("image");
    cut = false;
    await expectBuilt(work);
  });

  it("says so when the server is overloaded for good", async () => {
    const proxy = await between(nginx.url, () => ({ status: 503 }));
    const work = repository(proxy.url);
    expectRefusal(await work.run(quiet), { code: "NETWORK", status: 4, says: "503" });
  });

  it("takes name and password from the URL, and never shows or keeps the password", async () => {
    const work = makeWorkplace();
    places.push(work);
    makeDemoRepository(work);
    const from = (user: string, password: string): string[] => {
      const url = Object.assign(new URL(guarded.url), { username: user, password });
      return ["--trust", "cache.pub", "--cache", url.href];
    };
    const nobody = await work.run([...quiet, ...from("", "")]);
    expectRefusal(nobody, { code: "ACCESS_DENIED", status: 4, says: "401", hint: "credentials" });
    const wrong = await work.run([...quiet, ...from("user", "wr0ng-word")]);
    expectRefusal(wrong, { code: "ACCESS_DENIED", status: 4 });
    expect(wrong.stderr).not.toContain("wr0ng-word");
    const right = await work.run([...build, ...from("user", "s3cr3t-word")]);
    expect(digestOfBuild(right)).toBe(digest);
    expect(right.stdout + right.stderr).not.toContain("s3cr3t-word");
    for (const item of readdirSync(work.directory, { recursive: true, withFileTypes: true })) {
      if (!item.isFile()) continue;
      const bytes = readFileSync(join(item.parentPath, item.name));
      expect(bytes.includes("s3cr3t-word"), item.name).toBe(false);
    }
  });

  it("is not found where it is not", async () => {
    const { status, stderr } = await repository(`${nginx.url}/elsewhere`).run(quiet);
    expect(stderr).toMatch(/^warning {2}the build cache http:\S+\/elsewhere has no index/);
    expect(stderr).toContain("error  NO_SOLUTION");
    expect(status).toBe(3);
  });
});

describe("a cache on a server that lies", () => {
  let server: FaultServer;
  beforeAll(async () => {
    server = await startFaultServer();
    await serveDirectory(server, cache.directory);
  });
  afterAll(() => server.close());

  it("by sending less than the archive", async () => {
    const work = repository(server.url);
    server.faults.set(archivePath, Array(6).fill(shortened(2_000_000)));
    expectRefusal(await work.run(quiet), { code: "CHECKSUM_MISMATCH", status: 5, says: "mpich" });
    server.faults.clear();
    await expectBuilt(work);
  });

  it("by sending other bytes", async () => {
    const work = repository(server.url);
    const right = server.files.get(archivePath) ?? Buffer.alloc(0);
    server.files.set(archivePath, Buffer.from(right.map((byte, at) => (at === 2_000_000 ? byte ^ 1 : byte))));
    expectRefusal(await work.run(quiet), { code: "CHECKSUM_MISMATCH", status: 5, says: "mpich" });
    server.files.set(archivePath, right);
    await expectBuilt(work);
  });

  it("by answering everything with a page for people", async () => {
    const page = await startFaultServer();
    for (const path of server.files.keys()) page.files.set(path, Buffer.from("<html>Please log in</html>"));
    expectRefusal(await repository(page.url).run(quiet), {
      code: "CACHE_INVALID",
      status: 4,
      says: page.url,
    });
    await page.close();
  });
});

describe("a cache that cannot be reached", () => {
  it("is said to be so", async () => {
    const work = repository(`http://127.0.0.1:${await freePort()}/`);
    const refusal = { code: "NETWORK", status: 4, says: /http:\/\/127.*connection refused/ };
    expectRefusal(await work.run(quiet), refusal);
    expect(readdirSync(work.directory)).not.toContain("image");
  });

  it("is said to be so, in S3 too, by the name of its server where that is unknown", async () => {
    const region = "region: us-east-1";
    const gone = repository("s3://bucket/x", `, endpoint: "http://127.0.0.1:${await freePort()}", ${region}`);
    const refusal = { code: "NETWORK", status: 4, says: /the S3 server of bucket: connection refused/ };
    const env = { AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "y" };
    expectRefusal(await gone.run(quiet, { env }), refusal);
    const unknown = repository("s3://bucket/x", `, endpoint: "http://nowhere.invalid", ${region}`);
    const direct = { ...env, http_proxy: "", HTTP_PROXY: "", https_proxy: "", HTTPS_PROXY: "" };
    const result = await unknown.run(quiet, { env: direct });
    // Where names are not resolved at all, that is said to pass.
    expectRefusal(result, { code: "NETWORK", status: 4, says: /nowhere\.invalid|could not be resolved/ });
  });

  it("is left out when another one has everything", async () => {
    const work = makeWorkplace();
    places.push(work);
    makeDemoRepository(work);
    const gone = `{url: "http://127.0.0.1:${await freePort()}/", trust: [cache.pub]}`;
    const text = readFileSync(work.path("spacktainers.yaml"), "utf8");
    writeFileSync(work.path("spacktainers.yaml"), text.replace("caches:\n", `caches:\n- ${gone}\n`));
    const result = await work.run(build);
    expect(digestOfBuild(result)).toBe(digest);
    const warnings = jsonLines(result).filter(({ type }) => type === "warning");
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining("is skipped")]);
  });

  it("is not needed for what is on this machine", async () => {
    const server = await startFaultServer();
    await serveDirectory(server, cache.directory);
    const work = repository(server.url);
    await expectBuilt(work);
    await server.close();
    const result = await work.run([...build, "--no-strip"]);
    expect(digestOfBuild(result)).not.toBe(digest);
    const warnings = jsonLines(result).filter(({ type }) => type === "warning");
    expect(warnings).toEqual([expect.objectContaining({ code: "CACHE_UNAVAILABLE" })]);
  });
});

describe("several caches", () => {
  it("are asked in order, and a bad copy is passed over with a word", async () => {
    const work = makeWorkplace();
    places.push(work);
    const first = makeDemoRepository(work);
    cpSync(cache.directory, work.path("second"), { recursive: true });
    writeFileSync(first.manifest("mpich"), readFileSync(first.manifest("ring")));
    const text = readFileSync(work.path("spacktainers.yaml"), "utf8");
    const second = "- {url: second, trust: [cache.pub]}";
    writeFileSync(work.path("spacktainers.yaml"), text.replace("\nbase:", `\n${second}\nbase:`));
    const result = await work.run(build);
    expect(digestOfBuild(result)).toBe(digest);
    const warnings = jsonLines(result).filter(({ type }) => type === "warning");
    expect(warnings).toEqual([expect.objectContaining({ code: "IDENTITY_MISMATCH" })]);
  });

  /** A repository with two copies of the cache, `cache` and `second`. */
  function twoCaches(key?: TestKey): {
    readonly work: Workplace;
    readonly first: DemoCache;
    readonly second: DemoCache;
  } {
    const work = makeWorkplace();
    places.push(work);
    const first = makeDemoRepository(work, "cache", key);
    cpSync(first.directory, work.path("second"), { recursive: true });
    const text = readFileSync(work.path("spacktainers.yaml"), "utf8");
    const keys = key === undefined ? "[cache.pub]" : "[cache.pub, test.pub]";
    const entry = `- {url: second, trust: ${keys}}`;
    writeFileSync(work.path("spacktainers.yaml"), text.replace("\nbase:", `\n${entry}\nbase:`));
    return { work, first, second: demoCache(work.path("second")) };
  }
  const warningsOf = (result: CommandResult) => jsonLines(result).filter(({ type }) => type === "warning");

  it.each<[string, string, (path: string) => void]>([
    ["missing", "NOT_FOUND", (path) => rmSync(path)],
    ["cut off", "CHECKSUM_MISMATCH", (path) => truncateSync(path, 5000)],
    [
      "damaged",
      "CHECKSUM_MISMATCH",
      (path) => {
        const bytes = readFileSync(path);
        bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
        writeFileSync(path, bytes);
      },
    ],
  ])("stand in for one another when an archive is %s", async (_, code, change) => {
    const { work, first, second } = twoCaches();
    change(first.archive("mpich"));
    const result = await work.run(build);
    expect(digestOfBuild(result)).toBe(digest);
    expect(warningsOf(result)).toEqual([
      expect.objectContaining({ code, message: expect.stringMatching(/^mpich@4\.0\.2.*copy in .*second$/) }),
    ]);
    const unpacked = await work.run(["unpack", "hello-mpi", "--into", "unpacked", "--json"]);
    expect(unpacked.status).toBe(0);
    expect(warningsOf(unpacked)).toEqual([expect.objectContaining({ code })]);
    expect(debrisIn(work.directory)).toEqual([]);
    change(second.archive("mpich"));
    expectRefusal(await work.run([...quiet, "--output", "oci:other", "--no-strip"]), {
      code,
      status: code === "NOT_FOUND" ? 4 : 5,
      says: /mpich@4\.0\.2.*also tried: \S*second/,
    });
  });

  it("stand in for one another with an archive that was made anew: everything is planned with that", async () => {
    const key = await makeKey();
    const { work, first, second } = twoCaches(key);
    await second.replaceArchive("ring", key, (tar) => Buffer.concat([tar, Buffer.alloc(1024)]));
    const alone = await work.run([...build, "--cache", "second", "--output", "oci:alone"]);
    rmSync(first.archive("ring"));
    const result = await work.run(build);
    expect(digestOfBuild(result)).toBe(digestOfBuild(alone));
    expect(warningsOf(result)).toEqual([expect.objectContaining({ code: "NOT_FOUND" })]);
    expect((await work.run(["unpack", "hello-mpi", "--into", "unpacked", "--quiet"])).status).toBe(0);
  });
});

describe.each([
  { name: "moto", present: hasS3Server(), start: startS3Server },
  { name: "Ceph", present: hasCephServer(), start: startCephServer },
])("a cache in S3, served by $name (skipped where it is not installed)", ({ present, start }) => {
  if (!present) {
    it.skip("is not installed", () => {});
    return;
  }
  let s3: S3Server;
  let user: { readonly accessKeyId: string; readonly secretAccessKey: string };
  const nobody = {
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_EC2_METADATA_DISABLED: "true",
  };
  beforeAll(async () => {
    s3 = await start("bucket");
    const files = await startFaultServer();
    await serveDirectory(files, cache.directory);
    await files.close();
    await s3.put("bucket", "private", files.files);
    await s3.put("bucket", "public", files.files, { public: true });
  });
  afterAll(() => s3.close());

  const settings = (endpoint: string): string => `, endpoint: "${endpoint}", region: us-east-1`;
  const credentials = (id: string, secret: string): NodeJS.ProcessEnv => ({
    ...nobody,
    AWS_ACCESS_KEY_ID: id,
    AWS_SECRET_ACCESS_KEY: secret,
  });

  it("gives it to nobody in particular where that is allowed", async () => {
    await expectBuilt(repository("s3://bucket/public", `${settings(s3.url)}, anonymous: true`), nobody);
    // From here on, signatures are checked.
    user = await s3.requireUser();
  });

  it("gives the image that the local cache gives", async () => {
    const work = repository("s3://bucket/private", settings(s3.url));
    await expectBuilt(work, credentials(user.accessKeyId, user.secretAccessKey));
  });

  it("gives it through a line on which everything fails at first", async () => {
    const proxy = await between(s3.url, wrongAtFirst);
    const work = repository("s3://bucket/private", settings(proxy.url));
    await expectBuilt(work, credentials(user.accessKeyId, user.secretAccessKey));
    const cut = proxy.log.filter((line) => line.startsWith("206 ") && line.includes(archivePath));
    expect(cut.length).toBeGreaterThan(0);
  });

  it.each([
    ["wrong credentials", () => credentials("AKIAWRONGWRONGWRONG1", "wr0ng-s3cr3t")],
    ["a wrong secret", () => credentials(user.accessKeyId, "wr0ng-s3cr3t")],
    ["no credentials", () => nobody],
  ])("is refused with %s", async (_, env) => {
    const work = repository("s3://bucket/private", settings(s3.url));
    const result = await work.run(quiet, { env: env() });
    expectRefusal(result, {
      code: "ACCESS_DENIED",
      status: 4,
      says: "s3://bucket/private",
      hint: "credentials",
    });
    expect(result.stderr).not.toContain("wr0ng-s3cr3t");
    expect(readdirSync(work.directory)).not.toContain("image");
  });

  it("is said not to be there when the bucket is not", async () => {
    const work = repository("s3://no-such-bucket/x", settings(s3.url));
    const env = credentials(user.accessKeyId, user.secretAccessKey);
    expectRefusal(await work.run(quiet, { env }), {
      code: "CACHE_UNAVAILABLE",
      status: 4,
      says: "no-such-bucket",
    });
  });
});
