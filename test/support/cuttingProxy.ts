/** A TCP proxy that breaks connections: the same ones every time. */
import { connect, createServer } from "node:net";

export interface CuttingProxy {
  readonly url: string;
  /** Connections broken so far. */
  cuts(): number;
  close(): Promise<void>;
}

/**
 * Forwards to `target` (`http://host:port`). Every connection is reset after that many bytes of answers, every tenth
 * before anything is answered.
 */
export async function startCuttingProxy(target: string, bytes: number): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  let connections = 0;
  let cuts = 0;
  const server = createServer((client) => {
    const budget = ++connections % 10 === 0 ? 0 : bytes;
    let answered = 0;
    const upstream = connect(Number(port), hostname);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
    client.on("close", () => upstream.destroy());
    upstream.on("end", () => client.end());
    client.on("data", (chunk) => upstream.write(chunk));
    upstream.on("data", (chunk) => {
      const room = budget - answered;
      answered += chunk.length;
      if (chunk.length <= room) {
        if (!client.write(chunk)) {
          upstream.pause();
          client.once("drain", () => upstream.resume());
        }
        return;
      }
      cuts++;
      upstream.destroy();
      client.write(chunk.subarray(0, room), () => setTimeout(() => client.resetAndDestroy(), 5));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    cuts: () => cuts,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/**
 * Forwards to `target` (`http://host:port`). Each of the first `times` connections that carries so many bytes of requests is
 * reset there; what was sent before arrives.
 */
export async function startUploadCuttingProxy(
  target: string,
  bytes: number,
  times: number,
): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  let cuts = 0;
  const server = createServer((client) => {
    let sent = 0;
    const upstream = connect(Number(port), hostname);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
    client.on("close", () => upstream.destroy());
    upstream.pipe(client);
    client.on("data", (chunk) => {
      sent += chunk.length;
      if (!upstream.write(chunk)) {
        client.pause();
        upstream.once("drain", () => client.resume());
      }
      if (sent < bytes || cuts >= times) return;
      cuts++;
      client.removeAllListeners("data");
      upstream.end();
      client.resetAndDestroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    cuts: () => cuts,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
