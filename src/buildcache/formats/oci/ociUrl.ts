/** Caches in registries: what their URLs mean. */
import { isLoopback } from "../../../registry/address.ts";
import { parseRepository, type RepositoryName } from "../../../registry/reference.ts";
import { asSpacktainersError, SpacktainersError } from "../../../util/errors.ts";
import { redactUrl } from "../../../util/redact.ts";

/** Whether a URL is that of a cache in a registry. */
export function isOciUrl(url: string): boolean {
  return /^oci(\+http)?:\/\//i.test(url);
}

/**
 * Reads `oci://[HOST[:PORT]/]PATH`, or `oci+http://…` for a registry of this machine that speaks plain HTTP. Without a host it is
 * Docker Hub's. Capital letters in the path become small ones, as Spack has it.
 *
 * @throws SpacktainersError CACHE_UNAVAILABLE for an invalid URL, and for plain HTTP to another machine
 */
export function parseOciUrl(url: string): {
  readonly name: RepositoryName;
  readonly scheme: "http" | "https";
} {
  const place = { url: redactUrl(url) };
  const [, plain, rest = ""] = /^oci(\+http)?:\/\/(.*?)\/*$/i.exec(url) ?? [];
  const scheme = plain === undefined ? "https" : "http";
  let name: RepositoryName;
  try {
    name = parseRepository(rest.toLowerCase(), place);
  } catch (cause) {
    throw new SpacktainersError(
      "CACHE_UNAVAILABLE",
      `the URL is not that of a repository: ${asSpacktainersError(cause).message}`,
      { place, hint: "write it as oci://HOST/PATH, without a tag", cause },
    );
  }
  if (scheme === "http" && !isLoopback(new URL(`http://${name.host}`).hostname))
    throw new SpacktainersError(
      "CACHE_UNAVAILABLE",
      "plain HTTP is allowed only for registries of this machine: anyone on the network path could change packages",
      { place, hint: "use oci://, and give the registry a certificate" },
    );
  return { name, scheme };
}
