/** What the supply chain asks of a repository in a registry, whoever speaks its protocol. */
import type { Descriptor } from "../archive/oci/types.ts";
import type { Digest } from "../util/digest.ts";
import type { Artifact } from "./artifact.ts";

/** A manifest as it is in the repository. Its bytes are those of the digest: the source has compared them. */
export interface StoredManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

/** Reads one repository. */
export interface ArtifactSource {
  /** The repository without tag and digest, such as `ghcr.io/my-org/hello`. */
  readonly repository: string;
  /** A manifest by tag or digest; undefined when there is none. */
  manifest(reference: string): Promise<StoredManifest | undefined>;
  /** Descriptors of the manifests whose subject is the image, from the referrers API or the tag that stands for it. */
  referrers(image: Digest, artifactType?: string): Promise<readonly Descriptor[]>;
  /**
   * A blob's bytes, compared with its digest and size.
   * @param maxBytes refuse anything larger
   */
  blob(descriptor: Descriptor, maxBytes: number): Promise<Buffer>;
  /** Whether a blob is there. */
  hasBlob(descriptor: Descriptor): Promise<boolean>;
}

/** Writes into one repository. */
export interface ArtifactSink {
  /** Puts blobs and manifest; keeps the index of referrers where the registry does not. */
  push(artifact: Artifact): Promise<void>;
}
