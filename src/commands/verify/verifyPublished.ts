import type { ArtifactSource } from "../../supply/artifactStore.ts";
import { predicateTypes } from "../../supply/statement.ts";
import { type VerificationPolicy, type VerificationReport, verifyImage } from "../../supply/verifyImage.ts";
import { SpacktainersError, SpacktainersErrors } from "../../util/errors.ts";

/** Short names of what can be attested; anything else is a type's URI. */
export const attestationNames: ReadonlyMap<string, string> = new Map([
  ["spdx", predicateTypes.spdx],
  ["cyclonedx", predicateTypes.cyclonedx],
  ["provenance", predicateTypes.provenance],
]);

/** The type of a predicate by a short name or its URI. Throws `USAGE`. */
export function attestationType(name: string): string {
  const known = attestationNames.get(name);
  if (known !== undefined) return known;
  if (/^[a-z][a-z0-9+.-]*:/i.test(name)) return name;
  throw new SpacktainersError("USAGE", `${name} is not a type of attestation`, {
    hint: `one of ${[...attestationNames.keys()].join(", ")}, or the URI of a type`,
  });
}

/**
 * Verifies an image in a repository, from its signature to the layers.
 *
 * @returns what was found, when all is as it should be
 * @throws {SpacktainersErrors} everything that is wrong; the first says most
 */
export async function verifyPublished(
  repository: ArtifactSource,
  reference: string,
  policy: VerificationPolicy,
): Promise<VerificationReport> {
  if (policy.keys.length === 0 && policy.verifyCertified === undefined)
    throw new SpacktainersError("USAGE", "there is no key to verify with", {
      hint: "name a public key with --key",
    });
  const report = await verifyImage(repository, reference, policy);
  if (report.problems.length > 0) throw new SpacktainersErrors(report.problems);
  return report;
}
