import { SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";
import { openFileStore } from "./fileStore.ts";
import { openHttpStore } from "./httpStore.ts";
import { openS3Store } from "./s3Store.ts";
import type { Store, StoreOptions, StoreSource } from "./store.ts";

/**
 * The store that a URL names. Opens nothing: the first read does.
 *
 * @throws NOT_SUPPORTED for schemes that have no store, CACHE_UNAVAILABLE for a malformed URL
 */
export function openStore(source: StoreSource, options: StoreOptions): Store {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(source.url)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === "file") return openFileStore(source.url, options);
  const place = { url: redactUrl(source.url) };
  if (!URL.canParse(source.url))
    throw new SpacktainersError("CACHE_UNAVAILABLE", "the URL is malformed", { place });
  if (scheme === "http" || scheme === "https") return openHttpStore(source.url, options);
  if (scheme === "s3") return openS3Store(source, options);
  throw new SpacktainersError("NOT_SUPPORTED", `${scheme}: URLs are not supported here`, {
    place,
    hint: "use a path, or a file:, http:, https: or s3: URL",
  });
}
