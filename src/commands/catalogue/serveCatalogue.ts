import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import sirv from "sirv";
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

/** What a browser is told beside each file. */
const headers: Readonly<Record<string, string>> = {
  "Cache-Control": "no-cache",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
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
  // In its developers' mode it looks at the files of the moment, so that the next `build` is seen.
  const files = sirv(folder, {
    dev: true,
    etag: true,
    setHeaders: (response) => {
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    },
  });
  const server = createServer((request, response) => {
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (!isRead || !isLocal(request.headers.host)) {
      response.writeHead(isRead ? 403 : 405).end();
      return;
    }
    files(request, response, () => {
      response.writeHead(404, { "Content-Type": "text/plain" }).end("not found\n");
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

/** Other names that lead here are those of pages which want to read what only this machine may. */
function isLocal(host: string | undefined): boolean {
  return /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/.test(host ?? "");
}
