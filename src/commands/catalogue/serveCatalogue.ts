import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { SpacktainersError } from "../../util/errors.ts";
import { isCatalogue } from "./buildCatalogue.ts";

/** A command line of `catalogue serve`. */
export interface ServeCatalogueRequest {
  readonly directory: string;
  /** The folder of a catalogue. */
  readonly from: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly signal: AbortSignal;
}

/** Where a catalogue is served. */
export interface ServedCatalogue {
  readonly url: string;
  /** Settled when it has ended: by the signal. */
  readonly ended: Promise<void>;
}

/** Headers of every response. Browsers ask again each time, so that they show the result of the next `build`. */
const headers: Readonly<Record<string, string>> = {
  "Cache-Control": "no-cache",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

/** The kinds of files that a catalogue has. */
const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".xml": "application/atom+xml; charset=utf-8",
};

/**
 * Serves a catalogue to this machine, until the signal ends it. Only files of the folder are served, none that is hidden.
 *
 * @throws {SpacktainersError} `NOT_FOUND` when the folder is no catalogue; `IO` when the port is taken
 */
export async function serveCatalogue(request: ServeCatalogueRequest): Promise<ServedCatalogue> {
  const { port, signal } = request;
  const folder = resolve(request.directory, request.from);
  if (!(await isCatalogue(folder)))
    throw new SpacktainersError("NOT_FOUND", "there is no catalogue", {
      place: { file: folder },
      hint: "`spacktainers catalogue build --into DIR` makes one; `catalogue serve --from DIR` serves it",
    });
  const root = await realpath(folder);
  const server = createServer((asked, response) => {
    answer(asked, response, root).catch(() => {
      // The reader has gone, or the file has.
      response.destroy();
    });
  });
  await new Promise<void>((done, fail) => {
    server.once("error", (cause) =>
      fail(
        new SpacktainersError("IO", `port ${port} cannot be used: ${cause.message}`, {
          hint: "choose another one with --port; 0 takes any that is free",
          cause,
        }),
      ),
    );
    server.listen(port, "127.0.0.1", done);
  });
  const ended = new Promise<void>((done) => {
    server.once("close", done);
  });
  const end = (): void => {
    server.close();
    server.closeAllConnections();
  };
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true });
  const address = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${address.port}/`, ended };
}

async function answer(asked: IncomingMessage, response: ServerResponse, root: string): Promise<void> {
  const refuse = (status: number, text: string): void => {
    const length = text.length + 1;
    response
      .writeHead(status, { ...headers, "Content-Type": "text/plain", "Content-Length": length })
      .end(`${text}\n`);
  };
  if (asked.method !== "GET" && asked.method !== "HEAD") return refuse(405, "only for reading");
  if (!isLocal(asked.headers.host)) return refuse(403, "only for this machine");
  const [path = ""] = (asked.url ?? "").split(/[?#]/);
  const file = await fileAt(path, root);
  if (file === undefined) return refuse(404, "not found");
  if (file === "folder") {
    response.writeHead(308, { ...headers, Location: `${path}/` }).end();
    return;
  }
  const type = types[extname(file.path)] ?? "application/octet-stream";
  response.writeHead(200, { ...headers, "Content-Type": type, "Content-Length": file.size });
  if (asked.method === "HEAD") response.end();
  else await pipeline(createReadStream(file.path, { end: Math.max(0, file.size - 1) }), response);
}

/**
 * The file that a path stands for, if it is in the folder itself: no way up, no hidden file, no link that leads elsewhere.
 * @returns `folder` for one whose name lacks the slash that its page's links start from
 */
async function fileAt(
  path: string,
  root: string,
): Promise<{ readonly path: string; readonly size: number } | "folder" | undefined> {
  try {
    const parts = decodeURIComponent(path).split("/").slice(1);
    if (!path.startsWith("/") || parts.some((part) => part.startsWith(".") || /[\\\0]/.test(part)))
      return undefined;
    // Only the last part may be empty: of a folder.
    if (parts.slice(0, -1).some((part) => part === "")) return undefined;
    const found = await realpath(join(root, ...parts));
    if (found !== root && !found.startsWith(root + sep)) return undefined;
    const facts = await stat(found);
    if (facts.isFile()) return parts.at(-1) === "" ? undefined : { path: found, size: facts.size };
    if (parts.at(-1) !== "") return "folder";
    const page = join(found, "index.html");
    const inside = await realpath(page);
    const pageFacts = await stat(page);
    return pageFacts.isFile() && inside === page ? { path: page, size: pageFacts.size } : undefined;
  } catch {
    return undefined;
  }
}

/** Other names that lead here are those of pages which want to read what only this machine may. */
function isLocal(host: string | undefined): boolean {
  return /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/.test(host ?? "");
}
