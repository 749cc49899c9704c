import { createServer, request as forward } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openHttp } from "../../src/net/http.ts";
import { openStore } from "../../src/store/openStore.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { type FaultServer, startFaultServer } from "../support/faultServer.ts";

/** A plain HTTP proxy that notes what goes through it. */
async function startProxy() {
  const seen: string[] = [];
  const server = createServer((incoming, outgoing) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    const onward = forward(
      incoming.url ?? "",
      { method: incoming.method, headers: incoming.headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      },
    );
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, seen, close: () => server.close() };
}

describe("a proxy in the environment", () => {
  let proxy: Awaited<ReturnType<typeof startProxy>>;
  let server: FaultServer;
  const kept = { ...process.env };
  beforeAll(async () => {
    proxy = await startProxy();
    server = await startFaultServer();
    server.files.set("/file", Buffer.from("content"));
    server.files.set("/bucket/file", Buffer.from("content"));
    process.env.http_proxy = proxy.url;
    process.env.no_proxy = "";
  });
  afterAll(async () => {
    process.env = kept;
    proxy.close();
    await server.close();
  });

  it("is used, and only where no_proxy does not say otherwise", async () => {
    const through = openHttp({ retries: 0 });
    expect(Buffer.from((await through.getBytes(`${server.url}/file`)).bytes).toString()).toBe("content");
    expect(proxy.seen).toEqual([`GET ${server.url}/file`]);
    process.env.no_proxy = "127.0.0.1";
    const around = openHttp({ retries: 0 });
    expect((await around.getBytes(`${server.url}/file`)).status).toBe(200);
    expect(proxy.seen).toHaveLength(1);
    process.env.no_proxy = "";
    await Promise.all([through.close(), around.close()]);
  });

  it("is used for S3 too", async () => {
    const store = openStore(
      {
        url: "s3://bucket",
        s3: { endpoint: server.url, anonymous: true, region: "x" },
      },
      { emit: ignoreEvents, signal: undefined, retries: 0 },
    );
    const before = proxy.seen.length;
    expect(Buffer.from((await store.get("file", { maxBytes: 100 })).bytes).toString()).toBe("content");
    expect(proxy.seen.slice(before)).toEqual([
      expect.stringMatching(/^GET http:\/\/127.0.0.1:\d+\/bucket\/file/),
    ]);
    await store.close();
  });
});
