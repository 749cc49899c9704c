/**
 * Build caches in registries, of Spack 0.21 and later: a package is an image, the index another one. Nothing is signed: what is under
 * a tag is what whoever may push says it is.
 */
import { parseImageManifest } from "../../../archive/oci/parse.ts";
import { getManifest, headManifest } from "../../../registry/manifests.ts";
import { parseTag } from "../../../registry/reference.ts";
import { listTags } from "../../../registry/tags.ts";
import { SpacktainersError } from "../../../util/errors.ts";
import type { Trust } from "../believe.ts";
import type { CacheFormat } from "../format.ts";
import { identifySpec } from "../verifiedMetadata.ts";
import { openOciFiles } from "./ociFiles.ts";
import { hashOfTag, indexTag, packageTag, readOciPackage } from "./ociPackage.ts";
import type { OciPlace } from "./ociPlace.ts";

/** Opens a repository as a cache. */
export function openOciFormat(place: OciPlace, trust: Trust): CacheFormat {
  const { repository, url } = place;
  const files = openOciFiles(place);
  const indexPlace = { url: files.locate(indexTag) };
  return {
    name: "oci",
    files,
    async isPresent() {
      if ((await headManifest(repository, indexTag)) !== undefined) return true;
      return (await listTags(repository))?.some((tag) => hashOfTag(tag) !== undefined) === true;
    },
    async findMetadata(asked) {
      const tag = packageTag(asked);
      const found = await readOciPackage(place, tag);
      if (found === undefined) return undefined;
      requireUnsigned(trust, files.locate(tag));
      const { digest, specFile, archive } = found;
      identifySpec(specFile, asked, { url: files.locate(tag) });
      return {
        format: "oci",
        path: tag,
        version: digest,
        specFile,
        specPath: undefined,
        archivePath: archive.digest,
        digest: archive.digest,
        size: archive.size,
        signedBy: undefined,
        validUntil: undefined,
      };
    },
    async isUnchanged({ path, version }) {
      const facts = await headManifest(repository, parseTag(path, { url }));
      return facts?.digest !== undefined && facts.digest === version;
    },
    indexPlace,
    async findIndex(known) {
      if (known?.version !== undefined) {
        const facts = await headManifest(repository, indexTag);
        if (facts?.digest !== undefined && facts.digest === known.version) return "unchanged";
      }
      const found = await getManifest(repository, indexTag);
      if (found === undefined) return undefined;
      // It claims to be a layer, and is plain JSON.
      const [index] = parseImageManifest(found.bytes, indexPlace).layers;
      if (index === undefined)
        throw new SpacktainersError("CACHE_INVALID", "the image of the index is empty", {
          place: indexPlace,
          hint: "rebuild the index: spacktainers cache index",
        });
      if (index.digest === known?.digest) return "unchanged";
      return { path: index.digest, version: found.digest, digest: index.digest, size: index.size };
    },
    // Spack puts none there.
    listKeys: async () => [],
  };
}

/**
 * Says that a cache in a registry is used without signatures only where that was allowed.
 *
 * @throws SIGNATURE_MISSING
 */
export function requireUnsigned({ unsigned }: Trust, url: string): void {
  if (unsigned) return;
  throw new SpacktainersError("SIGNATURE_MISSING", "packages in registries are not signed", {
    place: { url },
    hint: "if you trust everyone who may push there, set `unsigned: true` for this cache in spacktainers.yaml; `spacktainers lock` then pins the packages by digest",
  });
}
