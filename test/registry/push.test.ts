import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { bytesBlob } from "../../src/registry/blobSource.ts";
import { pushBlob } from "../../src/registry/pushBlob.ts";
import { pieceBytes } from "../../src/registry/upload.ts";
import { digestOf } from "../../src/util/digest.ts";
import { sha256, startFakeRegistry } from "../support/fakeRegistry.ts";
import { loseAnswer, refusal, reset, resetUploadAfter, status } from "../support/registryFaults.ts";
import { openRepository } from "./open.ts";
import {
  bytes,
  large,
  methods,
  opened,
  progress,
  registry,
  small,
  stored,
  syntheticBlob,
} from "./pushedBlobs.ts";

describe("pushBlob", () => {
  it("sends a small blob in one PUT, and not a second time", async () => {
    expect(await pushBlob(opened.repository, small)).toBe("uploaded");
    expect(methods()).toBe("HEAD 404, POST 202, PUT 201");
    expect(stored(small.digest)?.length).toBe(100_000);
    expect(await pushBlob(opened.repository, small)).toBe("present");
    expect(methods()).toBe("HEAD 404, POST 202, PUT 201, HEAD 200");
    expect(opened.events.map((event) => (event.type === "task-end" ? event.outcome : event.type))).toEqual([
      "task-start",
      "task-progress",
      "done",
      "task-start",
      "reused",
    ]);
    expect(opened.events[0]).toMatchObject({ kind: "push", label: "small", bytes: 100_000 });
  });

  it("sends a blob that is asked for several times at once only once", async () => {
    const outcomes = await Promise.all([1, 2, 3].map(() => pushBlob(opened.repository, small)));
    expect([...outcomes].sort()).toEqual(["present", "present", "uploaded"]);
    expect(methods()).toBe("HEAD 404, POST 202, PUT 201");
  });

  it("sends it again for another when the one who sent it failed", async () => {
    registry.fault(/^PUT/, refusal(403, "DENIED", "not you"));
    const [first, second] = await Promise.allSettled([1, 2].map(() => pushBlob(opened.repository, small)));
    expect(first).toMatchObject({ status: "rejected", reason: { code: "ACCESS_DENIED" } });
    expect(second).toMatchObject({ status: "fulfilled", value: "uploaded" });
  });

  it("keeps the query of the place that the registry names", async () => {
    await pushBlob(opened.repository, small, { missing: true });
    expect(registry.requests.at(-1)?.path).toMatch(/\?state=a%2Fb&digest=sha256%3A[0-9a-f]{64}$/);
    expect(methods()).toBe("POST 202, PUT 201");
  });

  it("sends a large blob by one PATCH", async () => {
    expect(await pushBlob(opened.repository, large)).toBe("uploaded");
    expect(methods()).toBe("HEAD 404, POST 202, PATCH 202, PUT 201");
    expect(registry.requests[2]?.headers).toMatchObject({
      "content-range": "0-8999999",
      "content-length": "9000000",
    });
    expect(stored(large.digest)?.equals(bytes)).toBe(true);
    expect(progress()).toBe(bytes.length);
  });

  it("sends pieces of the size asked for, none smaller than the registry takes", async () => {
    await pushBlob(opened.repository, small, { pieceBytes: 40_000 });
    const ranges = () => registry.requests.flatMap(({ headers }) => headers["content-range"] ?? []);
    expect(ranges()).toEqual(["0-39999", "40000-79999", "80000-99999"]);
    registry.behaviour.minimumPiece = 60_000;
    registry.requests.length = 0;
    await pushBlob(opened.other("c/d"), small, { pieceBytes: 40_000 });
    expect(ranges()).toEqual(["0-59999", "60000-99999"]);
  });

  it("pushes nothing at all", async () => {
    const nothing = bytesBlob(Buffer.alloc(0));
    expect(await pushBlob(opened.repository, nothing)).toBe("uploaded");
    expect(stored(nothing.digest)?.length).toBe(0);
  });

  it("goes on where a connection broke, from what the registry has", async () => {
    registry.fault(/^PATCH/, resetUploadAfter(3_000_000));
    registry.fault(/^PATCH/, resetUploadAfter(2_000_000));
    expect(await pushBlob(opened.repository, large)).toBe("uploaded");
    expect(stored(large.digest)?.equals(bytes)).toBe(true);
    const patches = registry.requests.filter(({ method }) => method === "PATCH");
    expect(patches.map(({ headers }) => headers["content-range"])).toEqual([
      "0-8999999",
      "3000000-8999999",
      "5000000-8999999",
    ]);
    expect(registry.requests.filter(({ method }) => method === "POST")).toHaveLength(1);
    // What was sent twice counts once.
    expect(progress()).toBe(bytes.length);
    expect(opened.events.filter((event) => event.type === "retry").length).toBe(2);
  });

  it("survives more breaks than it would make attempts, as long as it gets on", async () => {
    registry.fault(/^PATCH/, resetUploadAfter(700_000), 12);
    expect(await pushBlob(opened.repository, large)).toBe("uploaded");
    expect(stored(large.digest)?.equals(bytes)).toBe(true);
  });

  it("gives up where nothing arrives", async () => {
    registry.fault(/^PATCH/, reset, 99);
    await expect(pushBlob(opened.repository, large)).rejects.toMatchObject({ code: "NETWORK" });
    expect(registry.requests.filter(({ method }) => method === "PATCH")).toHaveLength(5);
    expect(opened.events.at(-1)).toMatchObject({ type: "task-end", outcome: "failed" });
  });

  it("begins again where the registry keeps nothing of a broken upload", async () => {
    registry.behaviour.keepsParts = false;
    registry.fault(/^PATCH/, resetUploadAfter(3_000_000));
    expect(await pushBlob(opened.repository, large)).toBe("uploaded");
    expect(stored(large.digest)?.equals(bytes)).toBe(true);
    expect(registry.requests.filter(({ method }) => method === "POST")).toHaveLength(2);
    expect(progress()).toBe(bytes.length);
  });

  it("sends the rest in smaller pieces once a connection has broken", async () => {
    const huge = syntheticBlob(pieceBytes + 9_000_000);
    registry.fault(/^PATCH/, resetUploadAfter(1_000_000));
    await pushBlob(opened.repository, huge);
    const patches = registry.requests.flatMap(({ headers }) => headers["content-range"] ?? []);
    expect(patches).toEqual([
      `0-${huge.size - 1}`,
      `1000000-${1_000_000 + pieceBytes - 1}`,
      `${1_000_000 + pieceBytes}-${huge.size - 1}`,
    ]);
    expect(sha256(stored(huge.digest) ?? Buffer.alloc(0))).toBe(huge.digest);
  });

  it("sends the whole again to a registry that takes one piece only", async () => {
    registry.behaviour.onePiece = true;
    registry.fault(/^PATCH/, resetUploadAfter(3_000_000));
    expect(await pushBlob(opened.repository, large)).toBe("uploaded");
    expect(stored(large.digest)?.equals(bytes)).toBe(true);
  });

  it.each(["PATCH", "PUT"])("notices that all is done when the answer to %s got lost", async (method) => {
    registry.fault(new RegExp(`^${method}`), loseAnswer);
    expect(await pushBlob(opened.repository, large)).toBe("uploaded");
    expect(stored(large.digest)?.equals(bytes)).toBe(true);
    expect(registry.requests.filter((one) => one.method === "PATCH")).toHaveLength(1);
  });

  it.each([500, 502, 503, 429])("tries again after %i, at each step", async (code) => {
    for (const method of ["HEAD", "POST", "PATCH", "PUT"])
      registry.fault(new RegExp(`^${method}`), status(code), 2);
    expect(await pushBlob(opened.repository, large)).toBe("uploaded");
    expect(stored(large.digest)?.equals(bytes)).toBe(true);
  });

  it("follows an upload to another host, without credentials", async () => {
    const other = await startFakeRegistry("127.0.0.2");
    const authorization = `Basic ${Buffer.from("u:pwpw").toString("base64")}`;
    registry.behaviour.guard = (request) =>
      request.headers.authorization === authorization || 'Basic realm="x"';
    registry.behaviour.uploadOrigin = other.url;
    const authorized = openRepository(`${registry.host}/a/b`, {
      credentials: { username: "u", password: "pwpw" },
    });
    // What the first server began is known at the second.
    registry.fault(/^POST/, ({ response }) => {
      other.uploads.set("11111111-1111-1111-1111-111111111111", []);
      const location = `${other.url}/v2/a/b/blobs/uploads/11111111-1111-1111-1111-111111111111?sig=1`;
      response.writeHead(202, { location }).end();
      return true;
    });
    expect(await pushBlob(authorized.repository, large)).toBe("uploaded");
    expect(other.blobs.get("a/b")?.get(large.digest)?.equals(bytes)).toBe(true);
    expect(other.requests.map(({ method }) => method)).toEqual(["PATCH", "PUT"]);
    expect(other.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    await authorized.close();
    await other.close();
  });

  it("does not follow an upload to a place less secure than the registry", async () => {
    registry.behaviour.uploadOrigin = "http://upload.example";
    await expect(pushBlob(opened.repository, large)).rejects.toMatchObject({
      code: "NETWORK",
      message: expect.stringContaining("less secure"),
      hint: expect.stringContaining("X-Forwarded-Proto"),
    });
  });

  it("notices a registry that stored something else, and one that received something else", async () => {
    registry.fault(/^PUT/, status(201, { "docker-content-digest": digestOf("x") }));
    await expect(pushBlob(opened.repository, small)).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    const wrong = { ...bytesBlob(randomBytes(1000)), digest: digestOf("something else") };
    await expect(pushBlob(opened.repository, wrong)).rejects.toMatchObject({
      code: "CHECKSUM_MISMATCH",
      message: expect.stringContaining("DIGEST_INVALID"),
    });
  });

  it("sends a blob although one of another size is said to be there", async () => {
    registry.fault(/^HEAD .*\/blobs\//, status(200, { "content-length": "17" }));
    expect(await pushBlob(opened.repository, small)).toBe("uploaded");
    expect(stored(small.digest)?.length).toBe(100_000);
  });

  it.each([
    ["content-type", "text/html; charset=utf-8"],
    ["docker-content-digest", sha256(Buffer.from("another"))],
  ])("does not take a login page or another blob for the blob: %s", async (name, value) => {
    registry.fault(/^HEAD .*\/blobs\//, status(200, { [name]: value }), 9);
    await expect(pushBlob(opened.repository, small)).rejects.toMatchObject({
      code: "NETWORK",
      hint: expect.stringContaining("login page"),
    });
    expect(methods()).toBe("HEAD 200");
  });

  it("asks for the blob where an upload does not end as uploads end", async () => {
    registry.fault(/^PUT /, status(200, { "content-type": "text/html" }, "<html>"));
    await expect(pushBlob(opened.repository, small)).rejects.toMatchObject({
      code: "NETWORK",
      message: "the registry ends an upload with HTTP status 200, and does not have the blob",
    });
    registry.fault(/^PUT /, async ({ registry: here, response, request }) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      here.put("a/b", Buffer.concat(chunks));
      response.writeHead(204).end();
      return true;
    });
    expect(await pushBlob(opened.repository, small)).toBe("uploaded");
  });

  it("a registry that counts wrongly is not believed for ever", async () => {
    for (const range of ["0-99999999", "0-1", "0-5000"])
      registry.fault(
        /^PATCH/,
        ({ request, response }) => {
          request.resume().on("end", () => response.writeHead(202, { range }).end());
          return true;
        },
        3,
      );
    await expect(pushBlob(opened.repository, large)).rejects.toMatchObject({
      code: "NETWORK",
      message: "the registry lost an upload",
    });
  });

  it("does not say where", async () => {
    registry.fault(/^POST/, status(202));
    await expect(pushBlob(opened.repository, small)).rejects.toThrow(/does not say where/);
  });

  it("a quota or a read-only registry is reported in its words", async () => {
    registry.fault(/^POST/, refusal(403, "DENIED", "quota of 10 GB exceeded"));
    await expect(pushBlob(opened.repository, small)).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      message: expect.stringContaining("quota of 10 GB exceeded"),
    });
    registry.fault(/^PUT/, status(413));
    await expect(pushBlob(opened.repository, small)).rejects.toMatchObject({ code: "REGISTRY_REFUSED" });
  });

  it("is interrupted at once", async () => {
    const abort = new AbortController();
    registry.fault(/^PATCH/, () => true);
    const stoppable = openRepository(`${registry.host}/a/b`, { signal: abort.signal });
    const running = pushBlob(stoppable.repository, large);
    setTimeout(() => abort.abort(), 100);
    await expect(running).rejects.toMatchObject({ code: "INTERRUPTED" });
    await stoppable.close();
  });
});

it.each([
  [500, "NETWORK", "in front of it, has a problem"],
  [413, "REGISTRY_REFUSED", "limits the size of one request"],
  [418, "REGISTRY_REFUSED", "the registry's log may say more"],
])("HTTP %i says what can be done", async (code, expected, hint) => {
  registry.fault(/^POST /, status(code), 99);
  await expect(pushBlob(opened.repository, small)).rejects.toMatchObject({
    code: expected,
    hint: expect.stringContaining(hint),
  });
});
