/** Servers that close the connection after each answer, and readers slower than they are. */
import { randomBytes } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { openHttp } from "../../src/net/http.ts";
import { openTransport } from "../../src/net/transport.ts";

let server: Server;
afterEach(() => new Promise((resolve) => server.close(resolve)));

/** A server that answers every request with these bytes and hangs up. */
async function hangingUp(bytes: Buffer): Promise<string> {
  server = createServer((socket: Socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}/`;
}

const head = (...lines: string[]) =>
  Buffer.from(`${["HTTP/1.1 200 OK", "Connection: close", ...lines].join("\r\n")}\r\n\r\n`);

function chunked(content: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += 10_000) {
    const part = content.subarray(at, at + 10_000);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

const framings = [
  ["a length", (content: Buffer) => Buffer.concat([head(`Content-Length: ${content.length}`), content])],
  ["chunks", (content: Buffer) => Buffer.concat([head("Transfer-Encoding: chunked"), chunked(content)])],
  ["the end of the connection", (content: Buffer) => Buffer.concat([head(), content])],
  [
    "HTTP/1.0",
    (content: Buffer) =>
      Buffer.concat([Buffer.from(`HTTP/1.0 200 OK\r\nContent-Length: ${content.length}\r\n\r\n`), content]),
  ],
] as const;

describe.each(framings)("a body delimited by %s", (_, answer) => {
  it.each([0, 1, 65_535, 65_536, 65_537, 131_072, 1_000_000])(
    "of %i bytes arrives whole, read late",
    async (size) => {
      const content = randomBytes(size);
      const url = await hangingUp(answer(content));
      // Straight from the transport: nobody reads while the connection ends.
      const transport = openTransport();
      const { undici, dispatcher } = await transport();
      const response = await undici.request(url, { dispatcher });
      await sleep(60);
      const chunks: Buffer[] = [];
      for await (const chunk of response.body) {
        chunks.push(chunk);
        if (chunks.length < 5) await sleep(5);
      }
      expect(Buffer.concat(chunks).equals(content)).toBe(true);
      await transport.close();
    },
  );

  it("is read by a slow reader of a stream", async () => {
    const content = randomBytes(600_000);
    const http = openHttp({ retries: 0 });
    const { body } = await http.getStream(await hangingUp(answer(content)));
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) {
      chunks.push(chunk);
      await sleep(2);
    }
    expect(Buffer.concat(chunks).equals(content)).toBe(true);
    await http.close();
  });
});

describe("a body that is cut off", () => {
  it.each([
    ["shorter than announced", Buffer.concat([head("Content-Length: 300000"), randomBytes(200_000)])],
    [
      "without its last chunk",
      Buffer.concat([head("Transfer-Encoding: chunked"), chunked(randomBytes(200_000)).subarray(0, -7)]),
    ],
  ])("%s is an error, never a shorter body", async (_, bytes) => {
    const transport = openTransport();
    const { undici, dispatcher } = await transport();
    const response = await undici.request(await hangingUp(bytes), { dispatcher });
    await sleep(60);
    await expect(response.body.arrayBuffer()).rejects.toThrow();
    await transport.close();
    const http = openHttp({ retries: 0 });
    await expect(http.getBytes(await hangingUp(bytes))).rejects.toMatchObject({ code: "NETWORK" });
    await http.close();
  });
});
