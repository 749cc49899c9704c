import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { downloadBlob, findBlobs, headBlob, readBlob } from "../../src/registry/blobs.ts";
import {
  deleteManifest,
  dockerTypes,
  getManifest,
  headManifest,
  maxManifestBytes,
  putManifest,
} from "../../src/registry/manifests.ts";
import { parseTag } from "../../src/registry/reference.ts";
import { listTags } from "../../src/registry/tags.ts";
import { digestOf } from "../../src/util/digest.ts";
import { type FakeRegistry, ociManifest, startFakeRegistry } from "../support/fakeRegistry.ts";
import { body, cutAfter, endless, redirect, refusal, reset, status } from "../support/registryFaults.ts";
import { type OpenedRepository, openRepository } from "./open.ts";

const content = randomBytes(1_000_000);
const blob = { digest: digestOf(content), size: content.length };
const absent = digestOf("nothing");
const tag = parseTag("1.0");

let registry: FakeRegistry;
let opened: OpenedRepository;
beforeEach(async () => {
  registry = await startFakeRegistry();
  registry.put("a/b", content);
  opened = openRepository(`${registry.host}/a/b`);
});
afterEach(async () => {
  await opened.close();
  await registry.close();
});

async function whole(size = blob.size): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of readBlob(opened.repository, { ...blob, size })) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}

describe("blobs", () => {
  it("are known to be there or not, many at once", async () => {
    expect(await headBlob(opened.repository, blob.digest)).toEqual({ size: content.length });
    expect(await headBlob(opened.repository, absent)).toBeUndefined();
    const digests = Array.from({ length: 100 }, (_, index) => digestOf(String(index)));
    for (const [index] of digests.entries())
      if (index % 3 === 0) registry.put("a/b", Buffer.from(String(index)));
    const found = await findBlobs(opened.repository, [...digests, ...digests], 16);
    expect([...found].sort()).toEqual(digests.filter((_, index) => index % 3 === 0).sort());
    expect(registry.requests).toHaveLength(102);
  });

  it("are read whole", async () => {
    expect(await whole()).toBe(blob.digest);
  });

  it("are continued where a connection broke", async () => {
    registry.fault(/^GET .*blobs/, cutAfter(300_000));
    registry.fault(/^GET .*blobs/, reset);
    expect(await whole()).toBe(blob.digest);
    const ranges = registry.requests.map(({ headers }) => headers.range);
    expect(ranges[0]).toBeUndefined();
    expect(ranges[2]).toMatch(/^bytes=\d{5,}-999999$/);
  });

  it.each([
    ["other bytes", body(randomBytes(content.length)), /has sha256/],
    ["fewer bytes", body(content.subarray(0, 1000)), /has 1000 bytes, not 1000000/],
    ["more bytes, announced", body(Buffer.concat([content, content])), /has 2000000 bytes, not 1000000/],
    ["bytes without end", endless(), /more than the 1000000 bytes/],
  ])("are refused when the registry sends %s", async (_, fault, message) => {
    registry.fault(/^GET .*blobs/, fault, 9);
    await expect(whole()).rejects.toThrow(message);
    await expect(whole()).rejects.toMatchObject({
      code: expect.stringMatching(/^(CHECKSUM_MISMATCH|NETWORK)$/),
    });
  });

  it("are refused when the length announced does not come", async () => {
    const lie = body(content.subarray(0, 5000), { "content-length": content.length, connection: "close" });
    registry.fault(/^GET .*blobs/, lie, 99);
    await expect(whole()).rejects.toMatchObject({ code: expect.stringMatching(/NETWORK|CHECKSUM/) });
  });

  it("come from another host without our credentials", async () => {
    const other = await startFakeRegistry("127.0.0.2");
    other.put("a/b", content);
    registry.behaviour.guard = (request) =>
      request.headers.authorization === "Basic dTpwd3B3" || 'Basic realm="x"';
    registry.fault(/^GET .*blobs/, status(401, { "www-authenticate": 'Basic realm="x"' }));
    registry.fault(/^GET .*blobs/, redirect(`${other.url}/v2/a/b/blobs/${blob.digest}`));
    const authorized = openRepository(`${registry.host}/a/b`, {
      credentials: { username: "u", password: "pwpw" },
    });
    const chunks: Uint8Array[] = [];
    for await (const chunk of readBlob(authorized.repository, blob)) chunks.push(chunk);
    expect(digestOf(Buffer.concat(chunks))).toBe(blob.digest);
    expect(registry.requests.at(-1)?.headers.authorization).toBe("Basic dTpwd3B3");
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    await authorized.close();
    await other.close();
  });

  it("are not asked for with credentials where a redirect leads, whatever is said there", async () => {
    const other = await startFakeRegistry("127.0.0.2");
    other.behaviour.guard = () => 'Basic realm="give me"';
    registry.fault(/^GET .*blobs/, redirect(`${other.url}/v2/a/b/blobs/${blob.digest}`), 99);
    const authorized = openRepository(`${registry.host}/a/b`, {
      credentials: { username: "u", password: "pwpw" },
    });
    await expect(readBlob(authorized.repository, blob).next()).rejects.toMatchObject({
      code: "ACCESS_DENIED",
    });
    expect(other.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    await authorized.close();
    await other.close();
  });

  it("redirects end some time", async () => {
    registry.fault(/^GET/, redirect(`/v2/a/b/blobs/${blob.digest}`), 99);
    await expect(whole()).rejects.toThrow(/more than 8 redirects/);
  });

  describe("in files", () => {
    let directory: string;
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), "spacktainers-pull-"));
    });
    afterEach(() => rm(directory, { recursive: true, force: true }));

    it("appear whole, and progress is reported", async () => {
      await downloadBlob(opened.repository, blob, join(directory, "layer"), { label: "base" });
      expect(digestOf(await readFile(join(directory, "layer")))).toBe(blob.digest);
      expect(await readdir(directory)).toEqual(["layer"]);
      const progress = opened.events.flatMap((event) =>
        event.type === "task-progress" ? [event.bytes] : [],
      );
      expect(progress.reduce((sum, bytes) => sum + bytes, 0)).toBe(content.length);
      expect(opened.events[0]).toMatchObject({ type: "task-start", kind: "pull", label: "base" });
      expect(opened.events.at(-1)).toMatchObject({ type: "task-end", outcome: "done" });
    });

    it("are continued by a later run", async () => {
      registry.fault(/^GET .*blobs/, cutAfter(400_000));
      const impatient = openRepository(`${registry.host}/a/b`, { retries: 0 });
      const path = join(directory, "layer");
      await expect(downloadBlob(impatient.repository, blob, path)).rejects.toMatchObject({ code: "NETWORK" });
      await impatient.close();
      await downloadBlob(opened.repository, blob, path);
      expect(registry.requests.at(-1)?.headers.range).toMatch(/^bytes=[1-9]\d*-999999$/);
      expect(await readdir(directory)).toEqual(["layer"]);
    });

    it("do not appear when they are wrong", async () => {
      registry.fault(/^GET .*blobs/, body(randomBytes(content.length)), 9);
      const failing = downloadBlob(opened.repository, blob, join(directory, "layer"));
      await expect(failing).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
      expect(await readdir(directory)).toEqual([]);
      expect(opened.events.at(-1)).toMatchObject({ type: "task-end", outcome: "failed" });
    });
  });
});

describe("manifests", () => {
  const manifest = Buffer.from('{"schemaVersion":2,"layers":[],"config":{}}');

  it("are written again when the registry says that they are not what they are", async () => {
    const doubt = refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    registry.fault(/^PUT .*manifests/, doubt);
    const { digest } = await putManifest(opened.repository, tag, manifest, ociManifest);
    expect((await getManifest(opened.repository, tag))?.digest).toBe(digest);
    registry.fault(/^PUT .*manifests/, doubt, 99);
    await expect(putManifest(opened.repository, tag, manifest, ociManifest)).rejects.toMatchObject({
      code: "CHECKSUM_MISMATCH",
      message: expect.stringContaining("DIGEST_INVALID"),
    });
  });

  it("are written, read, asked for and deleted, byte for byte", async () => {
    const { repository } = opened;
    const written = await putManifest(repository, tag, manifest, ociManifest);
    expect(written).toEqual({ digest: digestOf(manifest), referrerKnown: false });
    expect(await getManifest(repository, tag)).toEqual({
      digest: written.digest,
      mediaType: ociManifest,
      bytes: manifest,
    });
    expect((await getManifest(repository, written.digest))?.bytes).toEqual(manifest);
    const facts = { digest: written.digest, mediaType: ociManifest, size: manifest.length };
    expect(await headManifest(repository, tag)).toEqual(facts);
    await deleteManifest(repository, tag);
    await deleteManifest(repository, tag);
    expect(await headManifest(repository, tag)).toBeUndefined();
    expect(await getManifest(repository, tag)).toBeUndefined();
    expect(registry.log().slice(0, 2)).toEqual([
      "PUT /v2/a/b/manifests/1.0 201",
      "GET /v2/a/b/manifests/1.0 200",
    ]);
  });

  it("of Docker are read under their name, whatever the header says", async () => {
    const docker = { schemaVersion: 2, mediaType: dockerTypes.list, manifests: [] };
    registry.putManifest("a/b", "1.0", docker, "application/json");
    expect((await getManifest(opened.repository, tag))?.mediaType).toBe(dockerTypes.list);
    expect(registry.requests[0]?.headers.accept).toContain(dockerTypes.manifest);
  });

  it("of the past are refused", async () => {
    registry.putManifest("a/b", "1.0", { schemaVersion: 1 });
    await expect(getManifest(opened.repository, tag)).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  });

  it("are refused when they are not what their digest says", async () => {
    registry.putManifest("a/b", "1.0", manifest);
    registry.fault(/^GET .*manifests/, body(Buffer.from('{"a":1}'), { "content-type": ociManifest }), 2);
    const asked = getManifest(opened.repository, digestOf(manifest));
    await expect(asked).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    const lie = { "docker-content-digest": absent };
    registry.fault(/^GET .*manifests/, body(manifest, lie));
    expect((await getManifest(opened.repository, tag))?.digest).toBe(digestOf('{"a":1}'));
    await expect(getManifest(opened.repository, tag)).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    registry.fault(/^PUT .*manifests/, status(201, lie));
    const put = putManifest(opened.repository, tag, manifest, ociManifest);
    await expect(put).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
  });

  it("without end are not read", async () => {
    registry.fault(/^GET .*manifests/, endless({ "content-type": ociManifest }));
    await expect(getManifest(opened.repository, tag)).rejects.toThrow(/more than the 4194304 bytes/);
    const long = Buffer.alloc(maxManifestBytes + 1, " ");
    await expect(putManifest(opened.repository, tag, long, ociManifest)).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
    });
  });

  it("that are no JSON are refused", async () => {
    registry.putManifest("a/b", "1.0", Buffer.from("<html>"));
    await expect(getManifest(opened.repository, tag)).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });

  it("are asked for again after 429 and 5xx, as late as the registry wants", async () => {
    registry.putManifest("a/b", "1.0", manifest);
    registry.fault(/manifests/, status(429, { "retry-after": "1" }));
    registry.fault(/manifests/, status(503));
    registry.fault(/manifests/, reset);
    const begin = Date.now();
    expect((await getManifest(opened.repository, tag))?.bytes).toEqual(manifest);
    expect(Date.now() - begin).toBeGreaterThanOrEqual(990);
    expect(opened.events.filter((event) => event.type === "retry")).toHaveLength(3);
  });

  it("are given up after five refusals, in the registry's words", async () => {
    registry.fault(/manifests/, refusal(429, "TOOMANYREQUESTS", "pull rate\u001b[31m limit\nreached"), 99);
    await expect(getManifest(opened.repository, tag)).rejects.toMatchObject({
      code: "NETWORK",
      message: `${registry.host} refuses the manifest 1.0: TOOMANYREQUESTS: pull rate\\u001b[31m limit\\nreached (HTTP 429)`,
      hint: expect.stringContaining("log in"),
    });
    expect(registry.requests).toHaveLength(5);
  });

  it("an error's body without end is cut", async () => {
    registry.fault(/manifests/, endless({}, 400));
    await expect(getManifest(opened.repository, tag)).rejects.toMatchObject({
      code: "REGISTRY_REFUSED",
      message: expect.stringMatching(/\(HTTP 400\)$/),
    });
  });

  it("an error's words are kept short", async () => {
    registry.fault(/manifests/, refusal(400, "MANIFEST_INVALID", "x".repeat(60_000)));
    const thrown = await getManifest(opened.repository, tag).catch((error: Error) => error);
    expect((thrown as Error).message.length).toBeLessThan(600);
  });
});

describe("tags", () => {
  it("are listed over many pages", async () => {
    const tags = Array.from({ length: 25 }, (_, index) => `v${String(index).padStart(2, "0")}`);
    for (const one of tags) registry.putManifest("a/b", one, { schemaVersion: 2, one });
    registry.behaviour.pageSize = 10;
    expect(await listTags(opened.repository)).toEqual(tags);
    expect(registry.requests).toHaveLength(3);
  });

  it("of no repository are none", async () => {
    expect(await listTags(opened.other("no/such"))).toBeUndefined();
    registry.fault(/tags/, body(Buffer.from('{"name":"x","tags":null}')));
    expect(await listTags(opened.repository)).toEqual([]);
  });

  it.each([
    ["in a circle", { link: '</v2/a/b/tags/list?n=1000>; rel="next"' }, '{"tags":["a"]}', /does not end/],
    ["elsewhere", { link: '<http://127.0.0.9:1/x>; rel="next"' }, '{"tags":["a"]}', /at another server/],
    ["insecurely", { link: '<http://evil.example/x>; rel="next"' }, '{"tags":["a"]}', /less secure/],
    ["without JSON", {}, "<html>", /not JSON/],
    ["without tags", {}, "{}", /has no tags/],
    [
      "with no tags but other things",
      {},
      '{"tags":["a","b/\\u001b"]}',
      /one that is not valid: `b\/\\u001b`/,
    ],
  ])("that go on %s are refused", async (_, headers, text, message) => {
    registry.fault(/tags/, body(Buffer.from(text), headers), 9);
    const thrown = await listTags(opened.repository).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: "NETWORK", message: expect.stringMatching(message) });
  });
});

describe("the way there", () => {
  it("is HTTPS or plain HTTP, as the address says, and a mistake is explained", async () => {
    const secure = openRepository(`https://${registry.host}/a/b`);
    await expect(headBlob(secure.repository, blob.digest)).rejects.toMatchObject({
      code: "NETWORK",
      message: expect.stringContaining("does not speak TLS"),
      hint: expect.stringContaining("http://"),
    });
    await secure.close();
    registry.fault(/./, status(400, {}, "Client sent an HTTP request to an HTTPS server.\n"));
    await expect(getManifest(opened.repository, tag)).rejects.toMatchObject({
      code: "REGISTRY_REFUSED",
      hint: expect.stringContaining("https://"),
    });
  });

  it("to this machine never leads through a proxy", async () => {
    vi.stubEnv("http_proxy", "http://127.0.0.9:1");
    vi.stubEnv("no_proxy", "example.org");
    const direct = openRepository(`${registry.host}/a/b`, { retries: 0 });
    expect(await headBlob(direct.repository, blob.digest)).toEqual({ size: content.length });
    const other = openRepository("http://127.0.0.2:9/a/b", { retries: 0 });
    await expect(headBlob(other.repository, blob.digest)).rejects.toMatchObject({
      message: expect.stringContaining("127.0.0.2:9: connection refused"),
    });
    await direct.close();
    await other.close();
    vi.unstubAllEnvs();
  });
});

it("stops when it is told to", async () => {
  const abort = new AbortController();
  registry.fault(/manifests/, () => true, 9);
  const stoppable = openRepository(`${registry.host}/a/b`, { signal: abort.signal });
  const running = getManifest(stoppable.repository, tag);
  setTimeout(() => abort.abort(), 50);
  await expect(running).rejects.toMatchObject({ code: "INTERRUPTED" });
  await stoppable.close();
});
