import { parseRegistryEndpoint } from "./address.ts";
import type { RegistryHost } from "./reference.ts";
import type { RegistryOptions } from "./registry.ts";

/** What is configured of a registry. */
export interface RegistrySettings {
  readonly type: RegistryOptions["type"];
  /** Host, with a scheme perhaps. */
  readonly url: string;
  /** The variables of the environment that have user name and password; both or none. */
  readonly username: { readonly environmentVariable: string } | undefined;
  readonly password: { readonly environmentVariable: string } | undefined;
}

/** What is configured of the registry at a host; undefined when it is not configured. */
export function settingsOf<T extends Pick<RegistrySettings, "url">>(
  host: RegistryHost,
  configured: readonly T[],
): T | undefined {
  return configured.find(({ url }) => parseRegistryEndpoint(url).host === host);
}
