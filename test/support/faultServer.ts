/** An HTTP server for tests that serves bytes from memory and misbehaves as told. */
import { readdir, readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** What to do with one request instead of serving the file. Return false to serve it after all. */
export type Fault = (request: IncomingMessage, response: ServerResponse, content: Buffer) => boolean;

export interface FaultServer {
  /** `http://127.0.0.1:PORT`, no slash at the end. */
  readonly url: string;
  /** Content by path (`/a/b`). */
  readonly files: Map<string, Buffer>;
  /** Faults for the next requests of a path, used up one a request. */
  readonly faults: Map<string, Fault[]>;
  /** Every request so far. */
  readonly requests: {
    readonly method: string;
    readonly path: string;
    readonly headers: IncomingMessage["headers"];
  }[];
  close(): Promise<void>;
}

/** Strong ETag of content as this server makes it. */
export function etagOf(content: Buffer): string {
  let sum = 0;
  for (const byte of content.subarray(0, 4096)) sum = (sum * 31 + byte) >>> 0;
  return `"${content.length.toString(16)}-${sum.toString(16)}"`;
}

/** Starts a server on a free port of the loopback interface. */
export async function startFaultServer(host = "127.0.0.1"): Promise<FaultServer> {
  const files = new Map<string, Buffer>();
  const faults = new Map<string, Fault[]>();
  const requests: FaultServer["requests"] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? "/").split("?")[0] ?? "/");
    requests.push({ method: request.method ?? "", path, headers: request.headers });
    const content = files.get(path);
    const fault = faults.get(path)?.shift();
    if (fault?.(request, response, content ?? Buffer.alloc(0))) return;
    if (content === undefined) {
      response.writeHead(404).end("no such file");
      return;
    }
    serve(request, response, content);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    files,
    faults,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Answers as a correct server does: ranges, `If-Range`, `If-None-Match`, `HEAD`. */
export function serve(request: IncomingMessage, response: ServerResponse, content: Buffer): void {
  const etag = etagOf(content);
  if (request.headers["if-none-match"] === etag) {
    response.writeHead(304, { etag }).end();
    return;
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const current = request.headers["if-range"] === undefined || request.headers["if-range"] === etag;
  if (range?.[1] !== undefined && current) {
    const start = Number(range[1]);
    const end = Math.min(content.length, range[2] ? Number(range[2]) + 1 : content.length);
    if (start >= content.length) {
      response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
      return;
    }
    const part = content.subarray(start, end);
    response.writeHead(206, {
      etag,
      "content-length": part.length,
      "content-range": `bytes ${start}-${end - 1}/${content.length}`,
    });
    response.end(part);
    return;
  }
  response.writeHead(200, { etag, "content-length": content.length, "accept-ranges": "bytes" });
  response.end(request.method === "HEAD" ? undefined : content);
}

/** A fault: this status (with headers) instead of the file. */
export function answer(status: number, headers: Record<string, string> = {}): Fault {
  return (_request, response) => {
    response.writeHead(status, headers).end();
    return true;
  };
}

/** A fault: the connection is reset after `bytes` of the body (of what a correct server would send). */
export function resetAfter(bytes: number): Fault {
  return (request, response, content) => {
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const part = content.subarray(start);
    const head = {
      etag: etagOf(content),
      "content-length": part.length,
      ...(start === 0 ? {} : { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` }),
    };
    response.writeHead(start === 0 ? 200 : 206, head);
    response.write(part.subarray(0, bytes), () => setTimeout(() => response.socket?.resetAndDestroy(), 5));
    return true;
  };
}

/** A fault: after `bytes` of the body nothing more comes, and the connection stays open. */
export function stallAfter(bytes: number): Fault {
  return (_request, response, content) => {
    response.writeHead(200, {
      etag: etagOf(content),
      "content-length": content.length,
      "accept-ranges": "bytes",
    });
    response.write(content.subarray(0, bytes));
    return true;
  };
}

/** A fault: the file seems to end after `bytes`, as it does while it is uploaded. */
export function shortened(bytes: number): Fault {
  return (request, response, content) => {
    serve(request, response, content.subarray(0, bytes));
    return true;
  };
}

/** Serves every file of a directory at `/`; the server's `files` are these then. */
export async function serveDirectory(server: FaultServer, directory: string): Promise<void> {
  server.files.clear();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    server.files.set(path.slice(directory.length), await readFile(path));
  }
}
