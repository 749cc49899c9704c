import { resolve } from "node:path";
import { loadSigningKey, loadVerificationKeys } from "../../pipeline/describe/keyFiles.ts";
import { type AttachedArtifact, signPublished } from "../../pipeline/describe/signPublished.ts";
import { publishedReference } from "../../pipeline/images/publishedReference.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { artifactRepository } from "../../publish/artifactRepository.ts";
import { openRegistries } from "../../registry/openRegistries.ts";
import {
  type CertificatePolicy,
  type KeylessServices,
  openCertificateVerifier,
  openKeylessSigning,
} from "../../supply/keyless.ts";
import type { SignatureForm } from "../../supply/signImage.ts";
import type { VerificationReport } from "../../supply/verifyImage.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { readBounded } from "../../util/readBounded.ts";
import { attestationType, verifyPublished } from "../verify/verifyPublished.ts";

/** A command line of `sign`. */
export interface SignCommand {
  readonly directory: string;
  /** A container's name, or a reference. */
  readonly image: string;
  readonly arch: string | undefined;
  /** A private key's file, or `env://NAME`; undefined: the configured one. */
  readonly key: string | undefined;
  /** Sign with the identity that CI gives, in place of a key; in a Sigstore instance, default the public one. */
  readonly keyless: KeylessServices | undefined;
  readonly forms: readonly SignatureForm[] | undefined;
  /** Claims of the signer's own. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** What is known of the signatures of an image. */
export interface VerifiedImage {
  /** Its reference. */
  readonly image: string;
  readonly report: VerificationReport;
}

/** What signing attached. */
export interface SignedImage {
  readonly image: string;
  readonly attached: readonly AttachedArtifact[];
}

/**
 * Signs an image that is in a registry; an index, and every image in it.
 *
 * @throws {SpacktainersError} `USAGE` without a key; `KEY_INVALID`, `NOT_FOUND`; of the registry
 */
export async function signImages(command: SignCommand): Promise<SignedImage> {
  const definitions = await openSoundRepository(command.directory);
  const { configuration } = definitions;
  const named = await publishedReference(command, definitions);
  const { keyless } = command;
  const where = keyless === undefined ? (command.key ?? configuration.signing.key) : undefined;
  if (where === undefined && keyless === undefined)
    throw new SpacktainersError("USAGE", "there is no key to sign with", {
      hint: "name one with --key, or `signing: key:` in spacktainers.yaml; `spacktainers keys` makes a pair",
    });
  const key = where === undefined ? undefined : await loadSigningKey(where, command.directory);
  const certify = keyless === undefined ? undefined : await openKeylessSigning(keyless);
  const { emit, signal } = command;
  const registries = openRegistries({ configured: configuration.registries, emit, signal });
  try {
    const attached = await signPublished({
      reference: named.reference,
      repository: artifactRepository(registries.repository(named.repository)),
      factsOf: () => undefined,
      key,
      certify,
      forms: command.forms ?? configuration.signing.forms,
      annotations: command.annotations,
      emit,
      signal,
    });
    return { image: named.text, attached };
  } finally {
    await registries.close();
  }
}

/** A command line of `verify`. */
export interface VerifyCommand {
  readonly directory: string;
  readonly image: string;
  readonly arch: string | undefined;
  /** Public keys' files, or `env://NAME`; none: the configured ones. */
  readonly keys: readonly string[];
  /** Trust certificates of an identity, by a `trusted_root.json`. */
  readonly certificate:
    | (Omit<CertificatePolicy, "certificateLog"> & { readonly trustedRoot: string })
    | undefined;
  /** What has to be attested, by short names or types. */
  readonly attestations: readonly string[];
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/**
 * Verifies an image in a registry, from its signature to its layers.
 *
 * @throws {SpacktainersErrors} everything that is wrong; `USAGE` without a key
 */
export async function verifyImages(command: VerifyCommand): Promise<VerifiedImage> {
  const definitions = await openSoundRepository(command.directory);
  const { configuration } = definitions;
  const named = await publishedReference(command, definitions);
  const attestations = command.attestations.map(attestationType);
  const { certificate } = command;
  const chosen =
    command.keys.length > 0 || certificate !== undefined ? command.keys : configuration.signing.public;
  const verifyCertified =
    certificate === undefined
      ? undefined
      : await openCertificateVerifier(await readTrustedRoot(certificate.trustedRoot, command.directory), {
          ...certificate,
          certificateLog: true,
        });
  const keys = await loadVerificationKeys(chosen, command.directory);
  const { emit, signal } = command;
  const registries = openRegistries({ configured: configuration.registries, readOnly: true, emit, signal });
  try {
    const repository = artifactRepository(registries.repository(named.repository));
    const report = await verifyPublished(repository, named.reference, {
      keys,
      attestations,
      verifyCertified,
    });
    return { image: named.text, report };
  } finally {
    await registries.close();
  }
}

/** A trusted root is a document of some kilobytes. */
const largestTrustedRoot = 4 << 20;

async function readTrustedRoot(path: string, directory: string): Promise<unknown> {
  const file = resolve(directory, path);
  try {
    const bytes = await readBounded(file, largestTrustedRoot);
    if (bytes === undefined) throw new Error("it is too large");
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new SpacktainersError("KEY_INVALID", "the trusted root cannot be read", { place: { file }, cause });
  }
}
