/** The S3 store against a server that misbehaves. (Against a real one: test/integration/buildcache-corpus.test.ts.) */
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openStore } from "../../src/store/openStore.ts";
import type { Store } from "../../src/store/store.ts";
import { digestOf } from "../../src/util/digest.ts";
import type { WorkEvent } from "../../src/util/events.ts";
import {
  answer,
  type Fault,
  type FaultServer,
  resetAfter,
  startFaultServer,
} from "../support/faultServer.ts";

let server: FaultServer;
let directory: string;
let events: WorkEvent[];
let store: Store;
const content = randomBytes(2_000_000);

beforeAll(async () => {
  server = await startFaultServer();
  directory = await mkdtemp(join(tmpdir(), "spacktainers-s3-"));
});
afterAll(async () => {
  await server.close();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(() => {
  server.files.clear();
  server.faults.clear();
  server.requests.length = 0;
  server.files.set("/bucket/pre fix/a+b/file", content);
  events = [];
  store = openS3({ anonymous: true });
});

function openS3(s3: object, retries = 3): Store {
  return openStore(
    {
      url: "s3://bucket/pre%20fix/",
      s3: { endpoint: server.url, region: "somewhere", ...s3 },
    },
    { emit: (event) => events.push(event), signal: undefined, retries, retryDelayMs: 2 },
  );
}

/** An error as S3 writes it. */
function s3Error(status: number, code: string): Fault {
  return (_request, response) => {
    response.writeHead(status, { "content-type": "application/xml" });
    response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`);
    return true;
  };
}

const path = "a+b/file";
const key = "/bucket/pre fix/a+b/file";

describe("the S3 store", () => {
  it("refuses a URL with a broken escape", () => {
    const source = { url: "s3://bucket/%zz" };
    const open = () => openStore(source, { emit: () => {}, signal: undefined });
    expect(open).toThrow(expect.objectContaining({ code: "CACHE_UNAVAILABLE" }));
  });

  it("reads, by version too", async () => {
    const first = await store.get(path, { maxBytes: 3_000_000 });
    expect(first.status).toBe("found");
    expect(Buffer.from(first.bytes).equals(content)).toBe(true);
    if (first.version === undefined) throw new Error("no version");
    const again = await store.get(path, { maxBytes: 3_000_000, version: first.version });
    expect(again.status).toBe("unchanged");
    expect(await store.stat(path)).toEqual({ size: content.length, version: first.version });
    expect((await store.get("other", { maxBytes: 10 })).status).toBe("missing");
    expect(await store.stat("other")).toBeUndefined();
    const part = await store.getRange(path, 1000, 50);
    expect(Buffer.from(part).equals(content.subarray(1000, 1050))).toBe(true);
    expect((await store.getRange(path, content.length + 5, 50)).length).toBe(0);
    await expect(store.get(path, { maxBytes: 1000 })).rejects.toMatchObject({ code: "NETWORK" });
    expect(store.locate(path)).toBe("s3://bucket/pre fix/a+b/file");
  });

  it("sends no signature when anonymous, and no secret ever", async () => {
    await store.get(path, { maxBytes: 3_000_000 });
    expect(server.requests[0]?.headers.authorization).toBeUndefined();
    const kept = { ...process.env };
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: "AKIDNAME", AWS_SECRET_ACCESS_KEY: "VERYSECRET" });
    try {
      const signing = openS3({});
      await signing.get(path, { maxBytes: 3_000_000 });
      expect(server.requests.at(-1)?.headers.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AKIDNAME/);
      server.faults.set(key, [s3Error(403, "SignatureDoesNotMatch")]);
      const fresh = openS3({});
      const error = await fresh.get(path, { maxBytes: 10 }).catch((thrown) => thrown);
      expect(error).toMatchObject({
        code: "ACCESS_DENIED",
        message: expect.stringContaining("SignatureDoesNotMatch"),
      });
      const everything = JSON.stringify(error, [
        ...Object.getOwnPropertyNames(error),
        "cause",
        "message",
        "stack",
        "$response",
      ]);
      expect(everything).not.toMatch(/VERYSECRET|Signature=|AKIDNAME/);
    } finally {
      process.env = kept;
    }
  });

  it("tries again after 503 and broken connections, and joins what it has", async () => {
    server.faults.set(key, [s3Error(503, "SlowDown"), resetAfter(700_000), answer(500), resetAfter(300_000)]);
    const { bytes } = await store.get(path, { maxBytes: 3_000_000 });
    expect(Buffer.from(bytes).equals(content)).toBe(true);
    expect(events.filter(({ type }) => type === "retry").length).toBeGreaterThanOrEqual(4);
  });

  it("reads a file from its beginning again that was replaced while it was read", async () => {
    const later = randomBytes(2_000_000);
    server.faults.set("/bucket/pre fix/a+b/file", [
      (request, response, bytes) => {
        server.files.set("/bucket/pre fix/a+b/file", later);
        return resetAfter(1_000_000)(request, response, bytes);
      },
    ]);
    const { bytes } = await store.get("a+b/file", { maxBytes: 3_000_000 });
    expect(digestOf(bytes)).toBe(digestOf(later));
  });

  it("gives up at last, with the place", async () => {
    server.faults.set(
      key,
      Array.from({ length: 9 }, () => answer(503)),
    );
    await expect(store.get(path, { maxBytes: 3_000_000 })).rejects.toMatchObject({
      code: "NETWORK",
      place: { url: "s3://bucket/pre fix/a+b/file" },
    });
    const gone = await startFaultServer();
    await gone.close();
    await expect(
      openS3({ endpoint: gone.url, anonymous: true }).get(path, { maxBytes: 10 }),
    ).rejects.toMatchObject({
      code: "NETWORK",
      message: expect.stringContaining("connection refused"),
    });
  });

  it("downloads, resuming within a run and in a later one", async () => {
    const destination = join(directory, "blob");
    const expectedDigest = digestOf(content);
    server.faults.set(key, [resetAfter(700_000), resetAfter(300_000)]);
    await store.download(path, destination, { expectedDigest });
    expect((await readFile(destination)).equals(content)).toBe(true);
    await rm(destination);
    server.faults.set(key, [resetAfter(700_000)]);
    await expect(
      openS3({ anonymous: true }, 0).download(path, destination, { expectedDigest }),
    ).rejects.toMatchObject({
      code: "NETWORK",
    });
    server.requests.length = 0;
    await store.download(path, destination, { expectedDigest, expectedSize: content.length });
    expect(server.requests[0]?.headers.range).toMatch(/^bytes=[1-9]\d+-$/);
    expect((await readFile(destination)).equals(content)).toBe(true);
    expect(await readdir(directory)).toEqual(["blob"]);
    await expect(store.download(path, destination, { expectedDigest: digestOf("x") })).rejects.toMatchObject({
      code: "CHECKSUM_MISMATCH",
    });
    await expect(store.download("other", destination, { expectedDigest })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it("says what S3 said", async () => {
    server.faults.set(key, [s3Error(404, "NoSuchBucket")]);
    await expect(store.get(path, { maxBytes: 10 })).rejects.toMatchObject({
      code: "CACHE_UNAVAILABLE",
      message: expect.stringContaining("bucket"),
    });
    server.faults.set(key, [s3Error(403, "AccessDenied")]);
    await expect(openS3({ anonymous: true }).get(path, { maxBytes: 10 })).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      message: expect.stringContaining("AccessDenied"),
    });
  });

  it("finds out that it may not write, without an object", async () => {
    const trial = "/bucket/pre fix/spacktainers-may-write";
    server.faults.set(trial, [s3Error(403, "AccessDenied")]);
    await expect(store.writer?.expectWritable()).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      place: { url: expect.stringContaining("s3://bucket/pre fix") },
    });
    expect(server.requests.some((request) => JSON.stringify(request).includes("PUT"))).toBe(false);
  });

  it("copes with a server that cannot list", async () => {
    expect(await store.hasFolder("v3")).toBeUndefined();
  });
});
