/** A folder of an HTTP server: it can be read, not written. */
import { openHttp } from "../net/http.ts";
import { redactUrl } from "../util/redact.ts";
import { refusalMeansAbsence } from "./refusalMeansAbsence.ts";
import type { Store, StoreOptions } from "./store.ts";
import { storePath } from "./storePath.ts";

/**
 * @param url `http:` or `https:` URL of the root; user name and password in it are used and never shown
 */
export function openHttpStore(url: string, options: StoreOptions): Store {
  const http = openHttp(options);
  // A query in the root URL (a signed URL) goes with every request.
  const parsed = new URL(url);
  const query = parsed.search;
  parsed.search = "";
  parsed.hash = "";
  const root = parsed.href.replace(/\/+$/, "");
  const at = (path: string): string => `${root}/${storePath(path).map(encodeURIComponent).join("/")}${query}`;
  const shown = redactUrl(root);
  const denied = refusalMeansAbsence();
  return {
    kind: "http",
    url: shown,
    id: shown,
    locate: (path) => redactUrl(at(path)),
    localFile: () => undefined,
    async get(path, { maxBytes, version }) {
      const etag = version !== undefined && /^(W\/)?"/.test(version) ? version : undefined;
      const answer = await denied(http.getBytes(at(path), { maxBytes, etag }));
      if (answer === undefined || answer.status === 404)
        return { status: "missing", bytes: new Uint8Array(), version: undefined };
      return {
        status: answer.status === 304 ? "unchanged" : "found",
        bytes: answer.bytes,
        version: answer.etag ?? (answer.status === 304 ? version : undefined),
      };
    },
    getRange: (path, start, length) => http.getRange(at(path), start, length),
    async stat(path) {
      const facts = await denied(http.head(at(path)));
      if (facts === undefined) return undefined;
      const modified = facts.lastModified === undefined ? undefined : `${facts.lastModified}/${facts.size}`;
      return { size: facts.size, version: facts.etag ?? modified };
    },
    download: (path, destination, downloadOptions) =>
      http.downloadFile(at(path), destination, downloadOptions),
    hasFolder: async () => undefined,
    list: undefined,
    writer: undefined,
    close: () => http.close(),
  };
}
