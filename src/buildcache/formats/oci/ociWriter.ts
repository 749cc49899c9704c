/** Writing into a registry: the archive and the configuration first, then the manifest under the package's tag. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { mediaTypes } from "../../../archive/oci/types.ts";
import { bytesBlob, fileBlob } from "../../../registry/blobSource.ts";
import { findBlobs } from "../../../registry/blobs.ts";
import { deleteManifest, getManifest, putManifest } from "../../../registry/manifests.ts";
import { pushBlob } from "../../../registry/pushBlob.ts";
import { parseTag } from "../../../registry/reference.ts";
import { listTags } from "../../../registry/tags.ts";
import { briefSpec } from "../../../spec/concrete.ts";
import { formatConcrete } from "../../../spec/format.ts";
import { familyOf } from "../../../spec/microarchitecture.ts";
import { type Digest, digestOfHex, hexOfDigest } from "../../../util/digest.ts";
import { SpacktainersError } from "../../../util/errors.ts";
import { specText } from "../../specDocument.ts";
import type { FormatWriter, ReadyPackage, WriterTools } from "../formatWriter.ts";
import { describeMetadata } from "../storedPackages.ts";
import { identifySpec } from "../verifiedMetadata.ts";
import type { StoredPackage } from "../writer.ts";
import { openOciFiles } from "./ociFiles.ts";
import { changeOciIndex } from "./ociIndexWriter.ts";
import { hashOfTag, packageTag, readOciPackage } from "./ociPackage.ts";
import type { OciPlace } from "./ociPlace.ts";

/** The registry's names of processors, where they differ from Spack's. */
const architectures: ReadonlyMap<string, string> = new Map([
  ["x86_64", "amd64"],
  ["aarch64", "arm64"],
]);

/** Longest description of a package, in characters. */
const longestDescription = 1000;

/** Opens a repository for writing. */
export function openOciWriter(place: OciPlace, tools: WriterTools): FormatWriter {
  const { repository, url } = place;
  const files = openOciFiles(place);

  /** Whether the package under a tag will do. */
  async function isGood(tag: string, hash: StoredPackage["hash"]): Promise<boolean> {
    try {
      const found = await readOciPackage(place, tag);
      if (found === undefined) return false;
      identifySpec(found.specFile, { hash }, { url });
      return (await findBlobs(repository, [found.archive.digest])).size === 1;
    } catch (thrown) {
      if (thrown instanceof SpacktainersError && ["NETWORK", "ACCESS_DENIED"].includes(thrown.code))
        throw thrown;
      return false;
    }
  }

  return {
    name: "oci",
    isPresent: async () => true,
    async put(content, { replace = false, onBytes }) {
      const { archive, document } = content;
      const { root } = document;
      const tag = packageTag(root);
      if (!replace && (await isGood(tag, root.hash))) return "present";
      const layer = fileBlob(archive.path, { ...archive, label: briefSpec(root) });
      const config = bytesBlob(
        Buffer.from(configText(content, await contentDigest(archive.path), new Date(tools.clock()))),
      );
      await pushBlob(repository, layer);
      onBytes?.(archive.size);
      await pushBlob(repository, config);
      const manifest = {
        mediaType: mediaTypes.manifest,
        schemaVersion: 2,
        config: { mediaType: mediaTypes.config, digest: config.digest, size: config.size },
        layers: [{ mediaType: mediaTypes.layer, digest: layer.digest, size: layer.size }],
        annotations: {
          "org.opencontainers.image.description": formatConcrete(root).slice(0, longestDescription),
        },
      };
      await putManifest(repository, tag, Buffer.from(JSON.stringify(manifest)), mediaTypes.manifest);
      return "written";
    },
    putKey: () => Promise.reject(noKeys(url)),
    removeKey: () => Promise.reject(noKeys(url)),
    changeIndex: (edit) => changeOciIndex(place, tools, edit),
    rebuildIndex: () => changeOciIndex(place, tools, undefined),
    async *list() {
      for (const tag of (await listTags(repository)) ?? []) {
        const hash = hashOfTag(tag);
        if (hash !== undefined) yield { format: "oci", hash, path: tag, modified: undefined };
      }
    },
    async describe(stored) {
      const found = await readOciPackage(place, stored.path);
      return describeMetadata(
        files,
        stored,
        found === undefined
          ? undefined
          : {
              format: "oci",
              path: stored.path,
              version: found.digest,
              specFile: found.specFile,
              specPath: undefined,
              archivePath: found.archive.digest,
              digest: found.archive.digest,
              size: found.archive.size,
              signedBy: undefined,
              validUntil: undefined,
            },
      );
    },
    async remove(packages) {
      for (const { path } of packages) {
        // Not every registry deletes tags; with the manifest, they go.
        const found = await getManifest(repository, parseTag(path, { url }));
        if (found !== undefined) await deleteManifest(repository, found.digest);
      }
      // Another writer may have listed them again before they went.
      await changeOciIndex(place, tools, { add: [], remove: new Set() });
      // Registries clear blobs up by themselves, and do not say what that frees.
      return 0;
    },
    async *orphans() {},
    removeOrphans: async () => 0,
  };
}

/** SHA-256 of what is in a gzip file. */
async function contentDigest(path: string): Promise<Digest> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), createGunzip(), async (chunks) => {
    for await (const chunk of chunks) hash.update(chunk as Buffer);
  }).catch((cause: unknown) => {
    throw new SpacktainersError("ARCHIVE_INVALID", "the archive cannot be decompressed", {
      place: { file: path },
      cause,
    });
  });
  return digestOfHex(hash.digest("hex"));
}

/** The configuration as Spack writes it; what recipes would add to the environment is not known here. */
function configText({ document, archive }: ReadyPackage, content: Digest, now: Date): string {
  const family = familyOf(document.root.target);
  const image = JSON.stringify({
    architecture: architectures.get(family) ?? family,
    os: "linux",
    rootfs: { type: "layers", diff_ids: [content] },
    config: { Env: ["PATH=/bin:/usr/bin"] },
  });
  const facts = JSON.stringify({
    // The version that Spack 0.23, and 1.x, write there.
    buildcache_layout_version: document.version <= 4 ? 2 : 3,
    binary_cache_checksum: { hash_algorithm: "sha256", hash: hexOfDigest(archive.digest) },
    archive_size: archive.size,
    archive_timestamp: now.toISOString(),
    archive_compression: "gzip",
  });
  return `${image.slice(0, -1)},"spec":${specText(document)},${facts.slice(1)}`;
}

function noKeys(url: string): SpacktainersError {
  return new SpacktainersError("NOT_SUPPORTED", "a registry stores no keys: its packages are not signed", {
    place: { url },
  });
}
