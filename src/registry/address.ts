/** Where a registry is reached, and what counts as secure on the way. */
import { type Place, SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";
import {
  dockerHub,
  parseRegistryHost,
  parseRepositoryPath,
  type RegistryHost,
  type RepositoryPath,
} from "./reference.ts";

/** A registry as it is configured. */
export interface RegistryAddress {
  readonly host: RegistryHost;
  /** What all repositories' paths begin with, such as an organisation; undefined when nothing. */
  readonly prefix: RepositoryPath | undefined;
  /** Said explicitly; undefined: HTTPS, or plain HTTP on this machine. */
  readonly scheme: "http" | "https" | undefined;
}

/**
 * Reads `[http://|https://]HOST[:PORT][/PATH]`. To write `http://` is to allow plain HTTP for this registry.
 *
 * @throws REFERENCE_INVALID
 */
export function parseRegistryAddress(text: string, place: Place = {}): RegistryAddress {
  const { host, scheme, path } = splitAddress(text, place);
  // Docker Hub's `library/` is for its own images: a prefix of one part is an account's name.
  const prefix =
    path === undefined
      ? undefined
      : host === dockerHub && !path.includes("/")
        ? (parseRepositoryPath(`${path}/x`, host, place).slice(0, -2) as RepositoryPath)
        : parseRepositoryPath(path, host, place);
  return { host, prefix, scheme };
}

/**
 * Host and scheme of a registry's address, whatever its path is.
 *
 * @throws REFERENCE_INVALID
 */
export function parseRegistryEndpoint(text: string): Pick<RegistryAddress, "host" | "scheme"> {
  const { host, scheme } = splitAddress(text, {});
  return { host, scheme };
}

function splitAddress(text: string, place: Place) {
  const scheme = /^(https?):\/\//.exec(text)?.[1] as "http" | "https" | undefined;
  const bare = (scheme === undefined ? text : text.slice(scheme.length + 3)).replace(/\/$/, "");
  const slash = bare.indexOf("/");
  const host = parseRegistryHost(slash < 0 ? bare : bare.slice(0, slash), place);
  return { host, scheme, path: slash < 0 ? undefined : bare.slice(slash + 1) };
}

/**
 * The origin of a registry's API: HTTPS, or plain HTTP when the scheme says so or the registry is on this machine.
 *
 * @returns such as `https://registry-1.docker.io`, without a slash at the end
 */
export function registryOrigin(host: RegistryHost, scheme: "http" | "https" | undefined): string {
  const name = host === dockerHub ? "registry-1.docker.io" : host;
  return new URL(`${scheme ?? (isLoopback(hostname(name)) ? "http" : "https")}://${name}`).origin;
}

/**
 * Takes a URL that a registry named (a token server, an upload, a next page) for use: absolute, and reached by a way no
 * less secure than the registry's own: HTTPS, this machine, plain HTTP, in this order.
 *
 * @param base URL of the answer that named it
 * @throws NETWORK when it is no http or https URL, or less secure than `base`
 */
export function acceptUrl(text: string, base: string, what: string): string {
  const place = { url: redactUrl(base) };
  const url = URL.canParse(text, base) ? new URL(text, base) : undefined;
  if (url === undefined || text.length > 8192 || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new SpacktainersError("NETWORK", `the registry names ${what} that is not a URL`, {
      place,
      hint: "this is an error of the registry, or of a proxy in front of it",
    });
  if (security(url) < security(new URL(base)))
    throw new SpacktainersError(
      "NETWORK",
      `the registry names ${what}, ${redactUrl(url.href)}, that is less secure than itself`,
      {
        place,
        hint: "configure the registry's proxy to report HTTPS (X-Forwarded-Proto)",
      },
    );
  url.username = "";
  url.password = "";
  url.hash = "";
  return url.href;
}

/** Whether a host (without port) is this machine. */
export function isLoopback(host: string): boolean {
  return /^(localhost|(.+\.)?localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(host);
}

function hostname(host: string): string {
  return new URL(`https://${host}`).hostname;
}

/** 2: nobody on the way can read or change it; 1: nobody outside this machine can; 0: anybody can. */
function security(url: URL): 0 | 1 | 2 {
  if (url.protocol === "https:") return 2;
  return isLoopback(url.hostname) ? 1 : 0;
}
