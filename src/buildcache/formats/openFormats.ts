/** The formats that may be where a cache is. */
import type { RetryPolicy } from "../../net/retry.ts";
import { openStore } from "../../store/openStore.ts";
import type { StoreOptions } from "../../store/store.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { CacheSource } from "../types.ts";
import type { Trust } from "./believe.ts";
import type { CacheFormat } from "./format.ts";
import { openOciFormat } from "./oci/ociFormat.ts";
import { openOciPlace } from "./oci/ociPlace.ts";
import { isOciUrl } from "./oci/ociUrl.ts";
import { placeOf } from "./storedFiles.ts";
import { openV2Format } from "./v2/v2Format.ts";
import { openV3Format } from "./v3/v3Format.ts";

/** Where a cache is, opened. */
export interface OpenedFormats {
  /** Without credentials. */
  readonly url: string;
  /** Keeps what is remembered of this cache apart from what is remembered of others. */
  readonly id: string;
  /** All that may be there, in the order in which they are asked for a package. */
  readonly formats: readonly CacheFormat[];
  /** As `CacheSource.mayBeEmpty`. */
  readonly mayBeEmpty: boolean;
  /** The error for a place that has none of them. */
  explainAbsence(): Promise<SpacktainersError>;
  close(): Promise<void>;
}

/**
 * Opens the place that a cache's URL names. Nothing is asked of it yet.
 *
 * @param policy for packages that are just being pushed
 * @throws NOT_SUPPORTED, CACHE_UNAVAILABLE for an invalid URL
 */
export function openFormats(
  source: CacheSource,
  trust: Trust,
  options: StoreOptions,
  policy: RetryPolicy,
): OpenedFormats {
  if (isOciUrl(source.url)) return openRegistryFormats(source, trust, options);
  const store = openStore(source, options);
  return {
    url: store.url,
    id: store.id,
    mayBeEmpty: source.mayBeEmpty === true,
    formats: [openV3Format(store, trust, policy), openV2Format(store, trust)],
    async explainAbsence() {
      const place = placeOf(store, "");
      if (store.kind === "file" && (await store.hasFolder("")) === false)
        return new SpacktainersError("CACHE_UNAVAILABLE", "there is no such directory", {
          place,
          hint: "check the cache's path; in spacktainers.yaml it is relative to that file",
        });
      return new SpacktainersError(
        "CACHE_INVALID",
        "this is not a Spack build cache: it has neither v3 nor build_cache",
        { place, hint: "a cache's URL is that of the directory that contains `v3` or `build_cache`" },
      );
    },
    close: () => store.close(),
  };
}

function openRegistryFormats(source: CacheSource, trust: Trust, options: StoreOptions): OpenedFormats {
  const place = openOciPlace(source.url, source.registry, options);
  const { url } = place;
  return {
    url,
    id: url,
    mayBeEmpty: source.mayBeEmpty === true,
    formats: [openOciFormat(place, trust)],
    explainAbsence: async () =>
      new SpacktainersError("CACHE_UNAVAILABLE", "there is no build cache in this repository", {
        place: { url },
        hint: "check its name; a private one may need credentials (podman login, docker login)",
      }),
    close: () => place.close(),
  };
}
