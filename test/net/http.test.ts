import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type HttpClient, openHttp } from "../../src/net/http.ts";
import { type Digest, digestOf } from "../../src/util/digest.ts";
import type { WorkEvent } from "../../src/util/events.ts";
import { hostTag } from "../../src/util/processes.ts";
import {
  answer,
  type Fault,
  type FaultServer,
  resetAfter,
  startFaultServer,
} from "../support/faultServer.ts";

let server: FaultServer;
let other: FaultServer;
let http: HttpClient;
let events: WorkEvent[];
let directory: string;
const content = randomBytes(3_000_000);
const digest = digestOf(content);

beforeAll(async () => {
  server = await startFaultServer();
  other = await startFaultServer("127.0.0.2");
  directory = await mkdtemp(join(tmpdir(), "spacktainers-http-"));
});
afterAll(async () => {
  await server.close();
  await other.close();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  for (const one of [server, other]) {
    one.files.clear();
    one.faults.clear();
    one.requests.length = 0;
  }
  server.files.set("/file", content);
  events = [];
  http = openHttp({ emit: (event) => events.push(event), retryDelayMs: 5 });
  await rm(directory, { recursive: true, force: true });
});

function sha(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

describe("getBytes", () => {
  it("gives the content and its ETag, then 304 for that ETag", async () => {
    const first = await http.getBytes(`${server.url}/file`);
    expect(first.status).toBe(200);
    expect(sha(first.bytes)).toBe(sha(content));
    const second = await http.getBytes(`${server.url}/file`, { etag: first.etag });
    expect(second.status).toBe(304);
    expect(second.bytes.length).toBe(0);
  });

  it("answers 404 for what is not there, and 410 likewise", async () => {
    expect((await http.getBytes(`${server.url}/nothing`)).status).toBe(404);
    server.faults.set("/file", [answer(410)]);
    expect((await http.getBytes(`${server.url}/file`)).status).toBe(404);
  });

  it("refuses more bytes than allowed, announced or not", async () => {
    await expect(http.getBytes(`${server.url}/file`, { maxBytes: 1000 })).rejects.toThrow(
      /more than the 1000/,
    );
    server.faults.set("/file", [
      (_request, response) => {
        response.writeHead(200);
        const timer = setInterval(() => response.write(Buffer.alloc(65536)), 1);
        response.on("close", () => clearInterval(timer));
        return true;
      },
    ]);
    await expect(http.getBytes(`${server.url}/file`, { maxBytes: 300_000 })).rejects.toMatchObject({
      code: "NETWORK",
    });
  });

  it.each([408, 429, 500, 502, 503, 504])("tries again after %i", async (status) => {
    server.faults.set("/file", [answer(status), answer(status)]);
    const { bytes } = await http.getBytes(`${server.url}/file`);
    expect(sha(bytes)).toBe(sha(content));
    expect(events.filter((event) => event.type === "retry")).toHaveLength(2);
  });

  it("waits as long as Retry-After asks, and not for hours", async () => {
    server.faults.set("/file", [answer(429, { "retry-after": "1" })]);
    const begin = Date.now();
    await http.getBytes(`${server.url}/file`);
    expect(Date.now() - begin).toBeGreaterThanOrEqual(990);
    server.faults.set("/file", [answer(503, { "retry-after": "7200" })]);
    await expect(http.getBytes(`${server.url}/file`)).rejects.toMatchObject({ code: "NETWORK" });
  });

  it("gives up after the configured retries and says why", async () => {
    server.faults.set(
      "/file",
      Array.from({ length: 9 }, () => answer(503)),
    );
    await expect(http.getBytes(`${server.url}/file`)).rejects.toMatchObject({
      code: "NETWORK",
      message: expect.stringContaining("503"),
    });
    expect(server.requests).toHaveLength(5);
  });

  it.each([401, 403])("reports %i at once as ACCESS_DENIED", async (status) => {
    server.faults.set("/file", [answer(status)]);
    await expect(http.getBytes(`${server.url}/file`)).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    expect(server.requests).toHaveLength(1);
  });

  it("continues where a connection broke", async () => {
    server.faults.set("/file", [resetAfter(1_000_000), resetAfter(500_000)]);
    const { bytes } = await http.getBytes(`${server.url}/file`);
    expect(sha(bytes)).toBe(sha(content));
    expect(server.requests.map((request) => request.headers.range !== undefined)).toEqual([
      false,
      true,
      true,
    ]);
    expect(server.requests[1]?.headers["if-range"]).toBeDefined();
  });

  it("does not mix two versions when the file changes underway", async () => {
    server.faults.set("/file", [
      (request, response, bytes) => {
        server.files.set("/file", randomBytes(3_000_000));
        return resetAfter(1_000_000)(request, response, bytes);
      },
    ]);
    const { bytes } = await http.getBytes(`${server.url}/file`);
    expect(sha(bytes)).toBe(sha(server.files.get("/file") ?? Buffer.alloc(0)));
    expect(bytes).toHaveLength(3_000_000);
  });

  it("begins again where the rest cannot be joined to what came, and gives up in the end", async () => {
    // No ETag in such an answer.
    const cut =
      (length: number): Fault =>
      (_request, response, bytes) => {
        response.writeHead(200, { "content-length": bytes.length }).write(bytes.subarray(0, length));
        setTimeout(() => response.socket?.resetAndDestroy(), 20);
        return true;
      };
    for (const length of [0, 1, 1_000_000]) {
      server.faults.set("/file", [cut(length)]);
      const { bytes } = await http.getBytes(`${server.url}/file`);
      expect(sha(bytes)).toBe(sha(content));
    }
    server.faults.set(
      "/file",
      Array.from({ length: 100 }, () => cut(1000)),
    );
    await expect(http.getBytes(`${server.url}/file`)).rejects.toMatchObject({ code: "NETWORK" });
    expect(server.faults.get("/file")?.length).toBeGreaterThan(80);
  });

  it("gives up on a server that sends a byte now and then", async () => {
    const impatient = openHttp({ retryDelayMs: 5, retries: 1, rateWindowMs: 200 });
    const drip: Fault = (_request, response, bytes) => {
      response.writeHead(206, { "content-range": `bytes 0-999/${bytes.length}`, "content-length": 1000 });
      const timer = setInterval(() => response.write("x"), 20);
      response.on("close", () => clearInterval(timer));
      return true;
    };
    server.faults.set("/file", [drip, drip]);
    await expect(impatient.getRange(`${server.url}/file`, 0, 1000)).rejects.toMatchObject({
      code: "NETWORK",
      message: "the server sends too slowly",
    });
  });

  it("takes silence for a broken connection", async () => {
    const impatient = openHttp({ retryDelayMs: 5, idleTimeoutMs: 300 });
    server.faults.set("/file", [
      (_request, response, bytes) => {
        response.writeHead(200, { "content-length": bytes.length }).write(bytes.subarray(0, 10));
        return true;
      },
    ]);
    expect(sha((await impatient.getBytes(`${server.url}/file`)).bytes)).toBe(sha(content));
  });

  it("names the host when nobody listens there", async () => {
    const gone = await startFaultServer();
    await gone.close();
    await expect(http.getBytes(`${gone.url}/x`)).rejects.toMatchObject({
      code: "NETWORK",
      message: expect.stringContaining("connection refused"),
    });
  });

  it("stops when told to", async () => {
    const stop = new AbortController();
    const client = openHttp({ signal: stop.signal });
    server.faults.set("/file", [() => true]);
    setTimeout(() => stop.abort(), 50);
    await expect(client.getBytes(`${server.url}/file`)).rejects.toMatchObject({ code: "INTERRUPTED" });
  });
});

describe("credentials", () => {
  const withCredentials = () => server.url.replace("http://", "http://user:p%40ss@");

  it("go into a Basic header and never into a message", async () => {
    await http.getBytes(`${withCredentials()}/file`);
    const expected = `Basic ${Buffer.from("user:p@ss").toString("base64")}`;
    expect(server.requests[0]?.headers.authorization).toBe(expected);
    server.faults.set("/file", [answer(403)]);
    const error = await http.getBytes(`${withCredentials()}/file?sig=secret`).catch((thrown) => thrown);
    const text = JSON.stringify([error.message, error.place, error.hint]);
    expect(text).not.toContain("p%40ss");
    expect(text).not.toContain("secret");
  });

  it("do not follow a redirect to another origin, and do follow one within it", async () => {
    other.files.set("/there", content);
    server.faults.set("/file", [answer(302, { location: `${other.url}/there` })]);
    expect((await http.getBytes(`${withCredentials()}/file`)).status).toBe(200);
    expect(other.requests[0]?.headers.authorization).toBeUndefined();
    server.faults.set("/moved", [answer(307, { location: "/file" })]);
    await http.getBytes(`${withCredentials()}/moved`);
    expect(server.requests.at(-1)?.headers.authorization).toBeDefined();
  });

  it("redirects are bounded and never lead out of http", async () => {
    server.faults.set(
      "/loop",
      Array.from({ length: 20 }, () => answer(302, { location: "/loop" })),
    );
    await expect(http.getBytes(`${server.url}/loop`)).rejects.toThrow(/redirects/);
    server.faults.set("/file", [answer(302, { location: "file:///etc/passwd" })]);
    await expect(http.getBytes(`${server.url}/file`)).rejects.toMatchObject({ code: "NETWORK" });
  });
});

describe("getRange", () => {
  it("gives just that part", async () => {
    const part = await http.getRange(`${server.url}/file`, 1000, 500);
    expect(Buffer.from(part).equals(content.subarray(1000, 1500))).toBe(true);
    expect((await http.getRange(`${server.url}/file`, content.length - 10, 500)).length).toBe(10);
    expect((await http.getRange(`${server.url}/file`, content.length, 500)).length).toBe(0);
  });

  it("copes with a server that ignores ranges", async () => {
    server.faults.set("/file", [
      (_request, response, bytes) => {
        response.writeHead(200, { "content-length": bytes.length }).end(bytes);
        return true;
      },
    ]);
    const part = await http.getRange(`${server.url}/file`, 1000, 500);
    expect(Buffer.from(part).equals(content.subarray(1000, 1500))).toBe(true);
  });
});

describe("downloadFile", () => {
  const destination = () => join(directory, "blob");

  it("writes the file whole and leaves nothing else", async () => {
    let bytes = 0;
    const done = await http.downloadFile(`${server.url}/file`, destination(), {
      expectedDigest: digest,
      expectedSize: content.length,
      onBytes: (count) => {
        bytes += count;
      },
    });
    expect(done).toEqual({ digest, size: content.length });
    expect(bytes).toBe(content.length);
    expect(await readdir(directory)).toEqual(["blob"]);
  });

  it("refuses a wrong digest and a wrong size, and leaves nothing", async () => {
    const wrong = digestOf("other") as Digest;
    await expect(
      http.downloadFile(`${server.url}/file`, destination(), { expectedDigest: wrong }),
    ).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    await expect(
      http.downloadFile(`${server.url}/file`, destination(), {
        expectedDigest: digest,
        expectedSize: content.length - 1,
      }),
    ).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    expect(await readdir(directory)).toEqual([]);
  });

  it("refuses a truncated file however it is announced", async () => {
    const short = content.subarray(0, 2_000_000);
    server.files.set("/file", short);
    await expect(
      http.downloadFile(`${server.url}/file`, destination(), { expectedDigest: digest }),
    ).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
  });

  it("continues after resets within a run", async () => {
    server.faults.set("/file", [resetAfter(1_000_000), resetAfter(500_000), answer(503)]);
    await http.downloadFile(`${server.url}/file`, destination(), { expectedDigest: digest });
    expect(sha(await readFile(destination()))).toBe(sha(content));
    const sent = server.requests.filter((request) => request.headers.range === undefined);
    expect(sent).toHaveLength(1);
  });

  it("continues what an earlier run left, and only then", async () => {
    const none = openHttp({ retries: 0 });
    server.faults.set("/file", [resetAfter(1_500_000)]);
    await expect(
      none.downloadFile(`${server.url}/file`, destination(), { expectedDigest: digest }),
    ).rejects.toMatchObject({ code: "NETWORK" });
    expect(await readdir(directory)).toEqual(["blob.partial"]);
    await none.downloadFile(`${server.url}/file`, destination(), { expectedDigest: digest });
    expect(server.requests[1]?.headers.range).toMatch(/^bytes=[1-9]\d{5,}-$/);
    expect(sha(await readFile(destination()))).toBe(sha(content));
    expect(await readdir(directory)).toEqual(["blob"]);
  });

  it("takes over from a process that was killed, at any point, complete included", async () => {
    const { mkdir } = await import("node:fs/promises");
    await mkdir(directory, { recursive: true });
    const dead = join(directory, `blob.${hostTag}.4194304999.abc.partial`);
    for (const length of [1, 1_000_000, content.length]) {
      server.requests.length = 0;
      await writeFile(dead, content.subarray(0, length));
      await http.downloadFile(`${server.url}/file`, destination(), { expectedDigest: digest });
      expect(server.requests[0]?.headers.range).toBe(`bytes=${length}-`);
      expect(server.requests).toHaveLength(1);
      expect(await readdir(directory)).toEqual(["blob"]);
    }
  });

  it("begins anew when what was left does not belong to the file", async () => {
    const { mkdir } = await import("node:fs/promises");
    for (const rubbish of [randomBytes(1_000_000), randomBytes(4_000_000)]) {
      await mkdir(directory, { recursive: true });
      await writeFile(join(directory, "blob.partial"), rubbish);
      await http.downloadFile(`${server.url}/file`, destination(), { expectedDigest: digest });
      expect(sha(await readFile(destination()))).toBe(sha(content));
      expect(await readdir(directory)).toEqual(["blob"]);
    }
  });

  it("may run several times at once for one file", async () => {
    await Promise.all(
      [1, 2, 3, 4].map(() =>
        http.downloadFile(`${server.url}/file`, destination(), { expectedDigest: digest }),
      ),
    );
    expect(sha(await readFile(destination()))).toBe(sha(content));
    expect(await readdir(directory)).toEqual(["blob"]);
  });

  it("says what is not there", async () => {
    await expect(http.downloadFile(`${server.url}/nothing`, destination())).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    expect(await readdir(directory)).toEqual([]);
  });
});

describe("many requests at once", () => {
  it("share connections and a signal without a warning", async () => {
    const warnings: string[] = [];
    const listen = (warning: Error) => warnings.push(warning.message);
    process.on("warning", listen);
    const client = openHttp({ signal: new AbortController().signal });
    server.files.set("/file", Buffer.from("small"));
    const all = await Promise.all(Array.from({ length: 60 }, () => client.getBytes(`${server.url}/file`)));
    expect(all.every(({ status }) => status === 200)).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off("warning", listen);
    expect(warnings).toEqual([]);
    await client.close();
  });
});
