/** Serves the files of a folder by HTTP, as a plain web server does. */
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

export interface FolderServer {
  /** `http://127.0.0.1:PORT`, no slash at the end. */
  readonly url: string;
  close(): Promise<void>;
}

/** Starts the server. Nothing outside of the folder is given. */
export async function startFolderServer(folder: string): Promise<FolderServer> {
  const root = await realpath(folder);
  const server = createServer(async (request, response) => {
    const path = join(root, decodeURIComponent(new URL(request.url ?? "/", "http://host").pathname));
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() !== true) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-length": found.size });
    if (request.method === "HEAD") response.end();
    else await pipeline(createReadStream(path), response).catch(() => response.destroy());
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
