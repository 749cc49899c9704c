/** Manifests and indexes by tag or digest: read, written, deleted; byte for byte, digests verified. */
import { mediaTypes } from "../archive/oci/types.ts";
import { contentLength, type HttpAnswer } from "../net/exchange.ts";
import { strangeAnswer } from "../net/failure.ts";
import { TransientFailure, withRetries } from "../net/retry.ts";
import { type Digest, digestOf, parseDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { isJsonObject } from "../util/json.ts";
import { redactUrl } from "../util/redact.ts";
import type { Access } from "./authorizer.ts";
import { readBody } from "./readBody.ts";
import type { Tag } from "./reference.ts";
import type { ImageRepository } from "./registry.ts";
import { RegistryRefusal } from "./registryError.ts";
import type { RegistryRequest } from "./session.ts";

/** Registries take no longer ones (the specification asks them for at least 4 MiB). */
export const maxManifestBytes = 4 * 2 ** 20;

/** Docker's names for manifests and indexes, which are read as well. */
export const dockerTypes = {
  manifest: "application/vnd.docker.distribution.manifest.v2+json",
  list: "application/vnd.docker.distribution.manifest.list.v2+json",
} as const;

const accept = [mediaTypes.index, mediaTypes.manifest, dockerTypes.list, dockerTypes.manifest].join(", ");

/** A manifest or an index as a registry has it. */
export interface RemoteManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** What a registry says of a manifest without giving it. */
export interface ManifestHead {
  /** Undefined when the registry does not say. */
  readonly digest: Digest | undefined;
  readonly mediaType: string;
  /** Bytes; undefined when the registry does not say. */
  readonly size: number | undefined;
}

/** What came of writing a manifest. */
export interface WrittenManifest {
  readonly digest: Digest;
  /** The manifest has a subject, and the registry will list it among that one's referrers by itself. */
  readonly referrerKnown: boolean;
}

/**
 * Reads a manifest or an index.
 *
 * @returns undefined when there is none
 * @throws CHECKSUM_MISMATCH when it is not what its digest says; ACCESS_DENIED, NETWORK, NOT_SUPPORTED (of a type of the past)
 */
export async function getManifest(
  repository: ImageRepository,
  reference: Tag | Digest,
): Promise<RemoteManifest | undefined> {
  const { policy, origin } = repository.session;
  const request: RegistryRequest = {
    ...manifestRequest(repository, reference, "pull"),
    method: "GET",
    headers: { accept },
    expected: [404, 410],
  };
  const url = origin + request.url;
  return withRetries(policy, url, async () => {
    const answer = await repository.session.attempt(request);
    if (answer.status === 404 || answer.status === 410) {
      await answer.discard();
      return undefined;
    }
    const bytes = await readBody(answer, url, maxManifestBytes, policy.signal);
    const digest = digestOf(bytes);
    expectDigest(digest, parseDigest(reference) ?? announcedDigest(answer), url);
    return { digest, mediaType: mediaTypeOf(answer, bytes, url), bytes };
  });
}

/** Facts about a manifest, undefined when there is none. @throws ACCESS_DENIED, NETWORK */
export async function headManifest(
  repository: ImageRepository,
  reference: Tag | Digest,
): Promise<ManifestHead | undefined> {
  const answer = await repository.session.send({
    ...manifestRequest(repository, reference, "pull"),
    method: "HEAD",
    headers: { accept },
    expected: [404, 410],
  });
  await answer.discard();
  if (answer.status === 404 || answer.status === 410) return undefined;
  return { digest: announcedDigest(answer), mediaType: contentType(answer), size: contentLength(answer) };
}

/**
 * Writes a manifest or an index; what it refers to must be there.
 *
 * @param reference the tag to move, or the digest of the bytes
 * @throws CHECKSUM_MISMATCH when the registry stored something else; REGISTRY_REFUSED, ACCESS_DENIED, NETWORK
 */
export async function putManifest(
  repository: ImageRepository,
  reference: Tag | Digest,
  bytes: Uint8Array,
  mediaType: string,
): Promise<WrittenManifest> {
  if (bytes.length > maxManifestBytes)
    throw new SpacktainersError("NOT_SUPPORTED", `the manifest is longer than ${maxManifestBytes} bytes`);
  const digest = digestOf(bytes);
  const request = manifestRequest(repository, reference, "pull,push");
  expectDigest(digest, parseDigest(reference), repository.session.origin + request.url);
  const { session } = repository;
  const answer = await withRetries(session.policy, session.origin + request.url, async () => {
    try {
      return await session.attempt({
        ...request,
        method: "PUT",
        headers: { "content-type": mediaType, "content-length": String(bytes.length) },
        body: () => bytes,
      });
    } catch (thrown) {
      // Docker's registry says so as well while somebody else puts a blob that the manifest refers to: it reads a file half written.
      if (thrown instanceof RegistryRefusal && thrown.registryCode === "DIGEST_INVALID")
        throw new TransientFailure(thrown);
      throw thrown;
    }
  });
  await answer.discard();
  expectDigest(digest, announcedDigest(answer), answer.url);
  return { digest, referrerKnown: answer.header("oci-subject") !== undefined };
}

/**
 * Deletes a manifest (by digest) or a tag; that there is none is no error.
 *
 * @throws REGISTRY_REFUSED when the registry does not delete; ACCESS_DENIED, NETWORK
 */
export async function deleteManifest(repository: ImageRepository, reference: Tag | Digest): Promise<void> {
  const answer = await repository.session.send({
    ...manifestRequest(repository, reference, "pull,push,delete"),
    method: "DELETE",
    expected: [404, 410],
  });
  await answer.discard();
}

function manifestRequest(
  repository: ImageRepository,
  reference: Tag | Digest,
  actions: Access["actions"],
): Pick<RegistryRequest, "url" | "access" | "what"> {
  return {
    url: `/v2/${repository.path}/manifests/${reference}`,
    access: { repository, actions },
    what: `the manifest ${reference}`,
  };
}

function announcedDigest(answer: HttpAnswer): Digest | undefined {
  return parseDigest(answer.header("docker-content-digest") ?? "");
}

function expectDigest(actual: Digest, expected: Digest | undefined, url: string): void {
  if (expected === undefined || expected === actual) return;
  throw new SpacktainersError("CHECKSUM_MISMATCH", `the manifest has ${actual}, not ${expected}`, {
    place: { url: redactUrl(url) },
    hint: "the registry is damaged or malicious; spacktainers did not use the manifest",
  });
}

function contentType(answer: HttpAnswer): string {
  return (answer.header("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/** The type as the document itself says it, else the registry; both is the same with honest ones. */
function mediaTypeOf(answer: HttpAnswer, bytes: Buffer, url: string): string {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new SpacktainersError("ARCHIVE_INVALID", "the registry's manifest is not JSON", {
      place: { url: redactUrl(url) },
      hint: strangeAnswer,
    });
  }
  const fields = isJsonObject(json) ? json : {};
  if (fields.schemaVersion === 1)
    throw new SpacktainersError("NOT_SUPPORTED", "the image has a manifest of Docker's schema 1", {
      place: { url: redactUrl(url) },
      hint: "push the image again with a current tool",
    });
  const said = typeof fields.mediaType === "string" ? fields.mediaType : "";
  if (said !== "") return said;
  const announced = contentType(answer);
  if (announced !== "" && announced !== "application/json" && announced !== "text/plain") return announced;
  return Array.isArray(fields.manifests) ? mediaTypes.index : mediaTypes.manifest;
}
