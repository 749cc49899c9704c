import { artifactRepository } from "../publish/artifactRepository.ts";
import { openRegistries } from "../publish/openRegistries.ts";
import type { SignatureForm } from "../supply/signImage.ts";
import type { VerificationReport } from "../supply/verifyImage.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { loadSigningKey, loadVerificationKeys } from "./keyFiles.ts";
import { publishedReference } from "./publishedReference.ts";
import { type AttachedArtifact, signPublished } from "./signPublished.ts";
import { attestationType, verifyPublished } from "./verifyPublished.ts";
import { openSoundRepository } from "./workspace.ts";

/** A command line of `sign`. */
export interface SignCommand {
  readonly directory: string;
  /** A container's name, or a reference. */
  readonly image: string;
  readonly arch: string | undefined;
  /** A private key's file, or `env://NAME`; undefined: the configured one. */
  readonly key: string | undefined;
  readonly forms: readonly SignatureForm[] | undefined;
  /** Claims of the signer's own. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
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
  const where = command.key ?? configuration.signing.key;
  if (where === undefined)
    throw new SpacktainersError("USAGE", "there is no key to sign with", {
      hint: "name one with --key, or `signing: key:` in spacktainers.yaml; `spacktainers keys` makes a pair",
    });
  const key = await loadSigningKey(where, command.directory);
  const named = await publishedReference(command, definitions);
  const { emit, signal } = command;
  const registries = openRegistries({ configured: configuration.registries, emit, signal });
  try {
    const attached = await signPublished({
      reference: named.reference,
      repository: artifactRepository(registries.repository(named.repository)),
      factsOf: () => undefined,
      key,
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
export async function verifyImages(
  command: VerifyCommand,
): Promise<{ readonly image: string; readonly report: VerificationReport }> {
  const definitions = await openSoundRepository(command.directory);
  const { configuration } = definitions;
  const attestations = command.attestations.map(attestationType);
  const chosen = command.keys.length > 0 ? command.keys : configuration.signing.public;
  const keys = await loadVerificationKeys(chosen, command.directory);
  const named = await publishedReference(command, definitions);
  const { emit, signal } = command;
  const registries = openRegistries({ configured: configuration.registries, emit, signal });
  try {
    const repository = artifactRepository(registries.repository(named.repository));
    const report = await verifyPublished(repository, named.reference, { keys, attestations });
    return { image: named.text, report };
  } finally {
    await registries.close();
  }
}
