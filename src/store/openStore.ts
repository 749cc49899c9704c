import { SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";
import type { Store, StoreOptions, StoreSource } from "./store.ts";
import { isStoreScheme, storeSchemes } from "./storeSchemes.ts";

/**
 * The store that a URL names. Opens nothing: the first read does.
 *
 * @throws NOT_SUPPORTED for schemes that have no store, CACHE_UNAVAILABLE for a malformed URL
 */
export function openStore(source: StoreSource, options: StoreOptions): Store {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(source.url)?.[1]?.toLowerCase() ?? "file";
  if (scheme === "file") return storeSchemes.file.open(source, options);
  const place = { url: redactUrl(source.url) };
  if (!URL.canParse(source.url))
    throw new SpacktainersError("CACHE_UNAVAILABLE", "the URL is malformed", { place });
  if (isStoreScheme(scheme)) return storeSchemes[scheme].open(source, options);
  const known = Object.keys(storeSchemes).map((each) => `${each}:`);
  throw new SpacktainersError("NOT_SUPPORTED", `${scheme}: URLs are not supported here`, {
    place,
    hint: `use a path, or a ${known.slice(0, -1).join(", ")} or ${known.at(-1)} URL`,
  });
}
