/** Caches in registries, opened. */

import { openRegistries } from "../../../registry/openRegistries.ts";
import { formatRepository } from "../../../registry/reference.ts";
import type { ImageRepository } from "../../../registry/registry.ts";
import type { RegistrySettings } from "../../../registry/registrySettings.ts";
import type { StoreOptions } from "../../../store/store.ts";
import { parseOciUrl } from "./ociUrl.ts";

/** A repository that is a cache. */
export interface OciPlace {
  readonly repository: ImageRepository;
  /** `oci://HOST/PATH`, or `oci+http://…`. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Opens a cache in a registry. Nothing is asked of it yet.
 *
 * @param settings what is configured of its registry; default: the machine's own credentials for it
 * @throws as {@link parseOciUrl}; CONFIG_INVALID when a variable that the settings name for a secret is not set
 */
export function openOciPlace(
  url: string,
  settings: Omit<RegistrySettings, "url"> | undefined,
  { emit, signal }: StoreOptions,
): OciPlace {
  const { name, scheme } = parseOciUrl(url);
  const registries = openRegistries({
    configured: [
      {
        type: settings?.type,
        url: `${scheme}://${name.host}`,
        username: settings?.username,
        password: settings?.password,
      },
    ],
    emit,
    signal: signal ?? new AbortController().signal,
  });
  return {
    repository: registries.repository(name),
    url: `oci${scheme === "http" ? "+http" : ""}://${formatRepository(name)}`,
    close: () => registries.close(),
  };
}
