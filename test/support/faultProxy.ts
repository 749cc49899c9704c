/** An HTTP server in front of another one that gets in the way as told. */
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What happens to a request: a status instead of an answer, or a connection that is reset, before or after bytes of the body. */
export type Hindrance =
  | { readonly status: number; readonly headers?: Record<string, string> }
  | { readonly resetAfter: number };

export interface FaultProxy {
  readonly url: string;
  /** What happened so far: `503 /path`, `reset /path`, or the status of the server behind and the range asked for. */
  readonly log: string[];
  close(): Promise<void>;
}

/**
 * Starts a proxy on a free port.
 *
 * @param target the server behind, without a slash at the end
 * @param hinder tells what happens to a request, by its path and how often that was asked for before; nothing: it goes through
 */
export async function startFaultProxy(
  target: string,
  hinder: (path: string, before: number) => Hindrance | undefined,
): Promise<FaultProxy> {
  const log: string[] = [];
  const asked = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    const before = asked.get(path) ?? 0;
    asked.set(path, before + 1);
    const hindrance = hinder(path, before);
    if (hindrance !== undefined && "status" in hindrance) {
      log.push(`${hindrance.status} ${path}`);
      response.writeHead(hindrance.status, hindrance.headers).end("hindered");
      return;
    }
    if (hindrance?.resetAfter === 0) {
      log.push(`reset ${path}`);
      request.socket.resetAndDestroy();
      return;
    }
    pass(target, request, response, hindrance?.resetAfter, log);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    log,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Hands a request on; of the answer's body no more than `most` bytes come through. */
function pass(
  target: string,
  request: IncomingMessage,
  response: ServerResponse,
  most: number | undefined,
  log: string[],
): void {
  const behind = forward(
    `${target}${request.url}`,
    { method: request.method ?? "GET", headers: request.headers },
    (answer) => {
      log.push([answer.statusCode, request.url, request.headers.range].filter(Boolean).join(" "));
      response.writeHead(answer.statusCode ?? 500, answer.rawHeaders);
      let left = most ?? Number.POSITIVE_INFINITY;
      answer.on("data", (chunk: Buffer) => {
        if (left <= 0) return;
        const part = chunk.subarray(0, left);
        left -= part.length;
        const cut = left <= 0;
        response.write(part, () => {
          if (cut) setTimeout(() => request.socket.resetAndDestroy(), 5);
        });
      });
      answer.on("end", () => {
        if (left > 0) response.end();
      });
    },
  );
  behind.on("error", () => request.socket.destroy());
  request.pipe(behind);
}
