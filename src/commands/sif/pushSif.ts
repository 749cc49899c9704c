/** SIF files to where others get them: a registry (as an ORAS artifact, as Apptainer pushes them), or an S3 bucket. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { type Descriptor, type ImageManifest, mediaTypes } from "../../archive/oci/types.ts";
import { encode } from "../../image/encodedDocument.ts";
import { openRepository } from "../../pipeline/workspace/workspace.ts";
import { bytesBlob, fileBlob } from "../../registry/blobSource.ts";
import { getManifest, putManifest } from "../../registry/manifests.ts";
import { openRegistries } from "../../registry/openRegistries.ts";
import { pushBlobs } from "../../registry/pushBlob.ts";
import { type ImageName, isTag, parseReference, parseTag } from "../../registry/reference.ts";
import { putReferrer } from "../../registry/referrers.ts";
import type { ImageRepository } from "../../registry/registry.ts";
import { openSif } from "../../sif/openSif.ts";
import { sifMediaType } from "../../sif/sifFormat.ts";
import { openStore } from "../../store/openStore.ts";
import type { Content, PutOptions, StoreOptions } from "../../store/store.ts";
import { type Digest, digestOf, digestOfHex } from "../../util/digest.ts";
import { asSpacktainersError, SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { sifPath } from "./sifPath.ts";

const sifConfigType = "application/vnd.sylabs.sif.config.v1+json";

/** A command line of `sif push`. */
export interface PushSifRequest {
  readonly directory: string;
  readonly path: string;
  /** `oras://NAME[:TAG]` (tag: `latest`) or `s3://BUCKET/KEY`; a KEY that ends with `/` is a folder. */
  readonly destination: string;
  /** ORAS: tag or digest of the image in the same repository that the file was made of; it is then found beside it. */
  readonly image: string | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** A file that was published. */
export interface PushedSif {
  /** `oras://…@sha256:…`, or `s3://…`. */
  readonly url: string;
  /** Of the file. */
  readonly digest: string;
  /** Bytes of the file. */
  readonly size: number;
  /** ORAS: false when the registry had the file already. */
  readonly sent: boolean;
}

/**
 * Publishes a SIF file. Nothing is visible under the name before the whole file is there.
 *
 * @throws {SpacktainersError} `USAGE`, `NOT_FOUND` when there is no such image beside it; as `openSif`, the registry
 *   client and the store
 */
export async function pushSif(request: PushSifRequest): Promise<PushedSif> {
  const { destination, emit, signal } = request;
  const path = sifPath(request.path, request.directory);
  const scheme = /^([a-z0-9]+):\/\//.exec(destination)?.[1];
  if (scheme !== "oras" && scheme !== "s3")
    throw new SpacktainersError("USAGE", `${destination} is neither oras:// nor s3://`, {
      hint: "oras://REGISTRY/NAME:TAG, or s3://BUCKET/KEY",
    });
  if (scheme === "s3" && request.image !== undefined)
    throw new SpacktainersError("USAGE", "--image works only with oras://");
  // What is no SIF file is refused here, not by those who pull it.
  const { header, close } = await openSif(path);
  await close();
  emit({ type: "stage", stage: "read-file" });
  const { size } = await stat(path);
  const digest = await fileDigest(path, signal);
  emit({ type: "stage", stage: "push-file" });
  if (scheme === "s3") {
    const url = destination.endsWith("/") ? destination + encodeURIComponent(basename(path)) : destination;
    await runTask(emit, { kind: "push", label: url, bytes: size }, ({ progress }) =>
      putObject(url, { path, size }, { mediaType: sifMediaType, onBytes: progress }, { emit, signal }),
    );
    return { url, digest, size, sent: true };
  }
  const name = parseReference(destination.slice("oras://".length));
  if (name.digest !== undefined)
    throw new SpacktainersError("USAGE", "a file is pushed to a tag, not to a digest");
  const { configuration } = await openRepository(request.directory);
  const registries = openRegistries({ configured: configuration.registries, emit, signal });
  try {
    const repository = registries.repository(name);
    const subject =
      request.image === undefined ? undefined : await subjectOf(repository, name, request.image);
    const layer: Descriptor = {
      mediaType: sifMediaType,
      digest,
      size,
      annotations: { "org.opencontainers.image.title": basename(path) },
    };
    const config = bytesBlob(Buffer.from(JSON.stringify({ architecture: header.architecture, os: "linux" })));
    const manifest: ImageManifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      artifactType: sifMediaType,
      config: { mediaType: sifConfigType, digest: config.digest, size: config.size },
      layers: [layer],
      subject,
    };
    const outcomes = await pushBlobs(repository, [
      config,
      fileBlob(path, { digest, size, label: basename(path) }),
    ]);
    const { bytes } = encode(manifest, mediaTypes.manifest);
    if (subject !== undefined) await putReferrer(repository, bytes);
    await putManifest(repository, name.tag ?? parseTag("latest"), bytes, mediaTypes.manifest);
    const shown = `oras://${name.host}/${name.path}:${name.tag ?? "latest"}@${digestOf(bytes)}`;
    return { url: shown, digest, size, sent: outcomes.get(digest) === "uploaded" };
  } finally {
    await registries.close();
  }
}

/** Puts a file into a bucket. @param url `s3://BUCKET/KEY` */
async function putObject(
  url: string,
  content: Content,
  putOptions: PutOptions,
  options: StoreOptions,
): Promise<void> {
  const cut = url.lastIndexOf("/");
  const folder = url.slice(0, cut);
  const name = decoded(url.slice(cut + 1));
  if (name === undefined || name === "" || folder.length <= "s3://".length)
    throw new SpacktainersError("USAGE", `${url} does not name an object`, { hint: "s3://BUCKET/KEY" });
  const store = openStore({ url: folder }, options);
  try {
    if (store.writer === undefined)
      throw new SpacktainersError("INTERNAL", "a bucket cannot be written to", { place: { url } });
    await store.writer.put(name, content, putOptions);
  } finally {
    await store.close();
  }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** The image that the file says it is of, as the repository has it. */
async function subjectOf(repository: ImageRepository, name: ImageName, image: string): Promise<Descriptor> {
  const shown = isTag(image) ? `${name.host}/${name.path}:${image}` : `${name.host}/${name.path}@${image}`;
  const { tag, digest } = parseReference(shown);
  const reference = digest ?? tag;
  const found = reference === undefined ? undefined : await getManifest(repository, reference);
  if (found === undefined)
    throw new SpacktainersError("NOT_FOUND", "the repository has no such image", { place: { url: shown } });
  return { mediaType: found.mediaType, digest: found.digest, size: found.bytes.length };
}

async function fileDigest(path: string, signal: AbortSignal): Promise<Digest> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20, signal }))
      hash.update(chunk as Buffer);
  } catch (thrown) {
    throw asSpacktainersError(thrown, { file: path });
  }
  return digestOfHex(hash.digest("hex"));
}
