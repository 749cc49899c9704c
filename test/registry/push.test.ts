import { randomBytes } from "node:crypto";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type BlobSource, bytesBlob, fileBlob } from "../../src/registry/blobSource.ts";
import { mountBlob, pushBlob, pushBlobs } from "../../src/registry/pushBlob.ts";
import { pieceBytes } from "../../src/registry/upload.ts";
import { digestOf } from "../../src/util/digest.ts";
import { type FakeRegistry, sha256, startFakeRegistry } from "../support/fakeRegistry.ts";
import { loseAnswer, refusal, reset, resetUploadAfter, status } from "../support/registryFaults.ts";
import { type OpenedRepository, openRepository } from "./open.ts";

const small = bytesBlob(randomBytes(100_000), "small");
/** Longer than what is sent in one PUT. */
const bytes = randomBytes(9_000_000);
const large = bytesBlob(bytes, "large");

let registry: FakeRegistry;
let opened: OpenedRepository;
beforeEach(async () => {
  registry = await startFakeRegistry();
  opened = openRepository(`${registry.host}/a/b`);
});
afterEach(async () => {
  await opened.close();
  await registry.close();
});

const stored = (digest: string, repository = "a/b"): Buffer | undefined =>
  registry.blobs.get(repository)?.get(digest);
const methods = (): string =>
  registry.requests.map(({ method, status: code }) => `${method} ${code}`).join(", ");
const progress = (): number =>
  opened.events
    .flatMap((event) => (event.type === "task-progress" ? [event.bytes] : []))
    .reduce((a, b) => a + b, 0);

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
  [500, "NETWORK", "the registry is in trouble"],
  [413, "REGISTRY_REFUSED", "limits the size of one request"],
  [418, "REGISTRY_REFUSED", "the registry's log may say more"],
])("HTTP %i says what can be done", async (code, expected, hint) => {
  registry.fault(/^POST /, status(code), 99);
  await expect(pushBlob(opened.repository, small)).rejects.toMatchObject({
    code: expected,
    hint: expect.stringContaining(hint),
  });
});

describe("files", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "spacktainers-push-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it("are pushed, also from the middle on", async () => {
    const path = join(directory, "layer");
    await writeFile(path, bytes);
    registry.fault(/^PATCH/, resetUploadAfter(4_000_000));
    const source = fileBlob(path, { digest: large.digest, size: large.size, label: "layer" });
    expect(await pushBlob(opened.repository, source)).toBe("uploaded");
    expect(stored(large.digest)?.equals(bytes)).toBe(true);
  });

  it("that became shorter are one clear error", async () => {
    const path = join(directory, "layer");
    await writeFile(path, bytes);
    await truncate(path, 8_500_000);
    const source = fileBlob(path, { digest: large.digest, size: large.size, label: "layer" });
    await expect(pushBlob(opened.repository, source)).rejects.toMatchObject({
      code: "IO",
      message: "layer ended after 8500000 of 9000000 bytes",
    });
    await rm(path);
    await expect(pushBlob(opened.repository, source)).rejects.toMatchObject({
      code: "NOT_FOUND",
      place: { file: path },
    });
  });
});

describe("mounting", () => {
  beforeEach(() => {
    registry.put("other/base", bytes);
  });
  const base = () => opened.other("other/base");

  it("moves no bytes", async () => {
    expect(await pushBlob(opened.repository, large, { mountFrom: base() })).toBe("mounted");
    expect(registry.log()).toEqual([
      expect.stringMatching(/^HEAD .* 404$/),
      expect.stringMatching(/^POST .*\?mount=sha256:[0-9a-f]{4}&from=other\/base 201$/),
    ]);
    expect(stored(large.digest)?.equals(bytes)).toBe(true);
    expect(progress()).toBe(0);
  });

  it.each(["refused", "denied"] as const)("is replaced by an upload where it is %s", async (mount) => {
    registry.behaviour.mount = mount;
    expect(await pushBlob(opened.repository, large, { mountFrom: base() })).toBe("uploaded");
    expect(stored(large.digest)?.equals(bytes)).toBe(true);
    // The upload that was begun instead is used where there is one.
    const posts = registry.requests.filter(({ method }) => method === "POST");
    expect(posts).toHaveLength(mount === "refused" ? 1 : 2);
  });

  it("from another registry is not tried", async () => {
    const foreign = openRepository("127.0.0.1:1/other/base");
    expect(await pushBlob(opened.repository, large, { mountFrom: foreign.repository })).toBe("uploaded");
    expect(registry.log().some((line) => line.includes("mount="))).toBe(false);
    await foreign.close();
  });

  it("by itself says whether it worked, and leaves nothing begun behind", async () => {
    expect(await mountBlob(opened.repository, large.digest, base())).toBe(true);
    registry.behaviour.mount = "refused";
    expect(await mountBlob(opened.other("c/d"), large.digest, base())).toBe(false);
    expect(registry.uploads.size).toBe(0);
    expect(registry.requests.at(-1)).toMatchObject({ method: "DELETE", status: 204 });
  });
});

describe("pushBlobs", () => {
  it("pushes a hundred, each once, a few at a time, skipping what is there", async () => {
    const blobs = Array.from({ length: 100 }, (_, index) => bytesBlob(randomBytes(1000 + index)));
    registry.put("a/b", Buffer.concat(await collect(blobs[0])));
    registry.put("other/base", Buffer.concat(await collect(blobs[1])));
    let most = 0;
    let running = 0;
    let answerAll: (() => void) | undefined;
    const enough = new Promise<void>((resolve) => {
      answerAll = resolve;
    });
    // The first request goes alone; of those after it none is answered before six have come.
    registry.fault(/^HEAD/, () => false);
    registry.fault(
      /^HEAD/,
      async ({ response }) => {
        most = Math.max(most, ++running);
        response.on("close", () => running--);
        if (running === 6) answerAll?.();
        await enough;
        return false;
      },
      9999,
    );
    const outcomes = await pushBlobs(opened.repository, [...blobs, ...blobs], {
      concurrency: 6,
      mountFrom: () => opened.other("other/base"),
    });
    expect(outcomes.size).toBe(100);
    expect([...outcomes.values()].filter((outcome) => outcome === "uploaded")).toHaveLength(98);
    expect([
      outcomes.get(blobs[0]?.digest ?? large.digest),
      outcomes.get(blobs[1]?.digest ?? large.digest),
    ]).toEqual(["present", "mounted"]);
    expect(registry.blobs.get("a/b")?.size).toBe(100);
    expect(most).toBe(6);
  });

  it("goes on, called again, from what has arrived", async () => {
    const blobs = Array.from({ length: 20 }, () => bytesBlob(randomBytes(5000)));
    registry.fault(/^PUT/, () => false, 10);
    registry.fault(/^PUT/, status(403), 99);
    await expect(pushBlobs(opened.repository, blobs, { concurrency: 2 })).rejects.toMatchObject({
      code: "ACCESS_DENIED",
    });
    const arrived = registry.blobs.get("a/b")?.size ?? 0;
    expect(arrived).toBe(10);
    const next = await startAgain(blobs);
    expect([...next.values()].filter((outcome) => outcome === "present")).toHaveLength(arrived);
  });

  async function startAgain(blobs: readonly BlobSource[]) {
    const second = await startFakeRegistry();
    for (const [name, all] of registry.blobs) second.blobs.set(name, all);
    const again = openRepository(`${second.host}/a/b`);
    const outcomes = await pushBlobs(again.repository, blobs);
    await again.close();
    await second.close();
    return outcomes;
  }

  it("two at once do not disturb one another", async () => {
    const second = openRepository(`${registry.host}/a/b`);
    const blobs = Array.from({ length: 10 }, () => bytesBlob(randomBytes(50_000)));
    await Promise.all([
      pushBlobs(opened.repository, blobs),
      pushBlobs(second.repository, blobs.toReversed()),
    ]);
    expect(registry.blobs.get("a/b")?.size).toBe(10);
    await second.close();
  });
});

/** Bytes made as they are read, so that a long blob needs no long memory here. */
function syntheticBlob(size: number): BlobSource {
  const piece = randomBytes(1_000_000);
  const parts = function* (offset: number): Generator<Buffer> {
    for (let at = offset; at < size; ) {
      const begin = at % piece.length;
      const part = piece.subarray(begin, Math.min(piece.length, begin + size - at));
      yield part;
      at += part.length;
    }
  };
  const digest = digestOf(Buffer.concat([...parts(0)]));
  return {
    digest,
    size,
    async *open(offset) {
      yield* parts(offset);
    },
  };
}

async function collect(source: BlobSource | undefined): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source?.open(0) ?? []) chunks.push(chunk);
  return chunks;
}
