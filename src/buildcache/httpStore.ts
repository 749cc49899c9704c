/** A build cache behind an HTTP server. */
import { openHttp } from "../net/http.ts";
import { SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";
import type { CacheStore, StoreOptions } from "./store.ts";

/**
 * @param url `http:` or `https:` URL of the root; user name and password in it are used and never shown
 */
export function openHttpStore(url: string, options: StoreOptions): CacheStore {
  const http = openHttp(options);
  // A query in the root URL (a signed URL) goes with every request.
  const parsed = new URL(url);
  const query = parsed.search;
  parsed.search = "";
  parsed.hash = "";
  const root = parsed.href.replace(/\/+$/, "");
  const at = (path: string): string => `${root}/${path.split("/").map(encodeURIComponent).join("/")}${query}`;
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
    close: () => http.close(),
  };
}

/**
 * Object stores answer 403 rather than 404 for a missing object to those who may not list the bucket. Once a store
 * has let us read something, a refusal is therefore taken for absence; before that, it is reported.
 */
export function refusalMeansAbsence(): <T>(read: Promise<T>) => Promise<T | undefined> {
  let readable = false;
  return async (read) => {
    try {
      const answer = await read;
      const status = (answer as { status?: unknown } | undefined)?.status;
      if (answer !== undefined && status !== 404) readable = true;
      return answer;
    } catch (thrown) {
      if (readable && thrown instanceof SpacktainersError && thrown.code === "ACCESS_DENIED")
        return undefined;
      throw thrown;
    }
  };
}
