import { Command } from "commander";
import type { ImageSigner, VerificationReport } from "../../supply/verifyImage.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addSelectionOptions, collect } from "../options.ts";
import { resultLine } from "../resultLine.ts";

interface VerifyOptions {
  readonly arch?: string;
  readonly key?: readonly string[];
  readonly certificateIdentity?: string;
  readonly certificateIssuer?: string;
  readonly trustedRoot?: string;
  readonly attestation?: readonly string[];
}

/** `verify`: an image that is in a registry. */
export function verifyVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("verify")
    .summary("verify a published image: signatures, statements, layers")
    .description(
      "Verifies an image in a registry: that the given keys signed this digest for this repository, that statements are about this image, that bills of materials describe it, and that the registry has its layers. The exit status is 5 if something is wrong.",
    )
    .argument("<image>", "a container's name, or [docker://|oras://]HOST/PATH[:TAG][@DIGEST]");
  return addSelectionOptions(command)
    .option(
      "--key <key>",
      "public key: a file, or env://NAME (repeatable; default: signing: public: of the configuration)",
      collect,
    )
    .option(
      "--certificate-identity <text>",
      "identity that signed without a key: a workflow's URL or an e-mail address",
    )
    .option("--certificate-issuer <url>", "issuer of that identity")
    .option("--trusted-root <file>", "trusted_root.json of the Sigstore instance, for certificates")
    .option(
      "--attestation <type>",
      "type of attestation to require: spdx, cyclonedx, provenance or a URI (repeatable)",
      collect,
    )
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers verify hello-mpi --key cosign.pub
  $ spacktainers verify ghcr.io/my-org/spack-hello-mpi:1.0.0 --key cosign.pub --attestation provenance`,
    )
    .action(
      verbAction<VerifyOptions>(program, outcome, async (context, options, [image = ""]) => {
        const { verifyImages } = await import("../../commands/sign/signImages.ts");
        const { image: name, report } = await verifyImages({
          directory: context.directory,
          image,
          arch: options.arch,
          keys: options.key ?? [],
          certificate: certificateOf(options),
          attestations: options.attestation ?? [],
          emit: context.reporter.emit,
          signal: context.signal,
        });
        context.reporter.close();
        if (context.json) context.print(resultLine("verify", { image: name, report }));
        else for (const line of reportLines(name, report)) context.print(line);
        return 0;
      }),
    );
}

/** What is asked of certificates; the three options belong together. Throws `USAGE`. */
function certificateOf(options: VerifyOptions) {
  const { certificateIdentity: identity, certificateIssuer: issuer, trustedRoot } = options;
  if (identity === undefined && issuer === undefined && trustedRoot === undefined) return undefined;
  if (identity !== undefined && issuer !== undefined && trustedRoot !== undefined)
    return { identity, issuer, trustedRoot };
  throw new SpacktainersError(
    "USAGE",
    "--certificate-identity, --certificate-issuer and --trusted-root belong together",
  );
}

function reportLines(name: string, report: VerificationReport): readonly string[] {
  const { signatures, attestations, documents, blobs, images } = report;
  // What is signed in two forms is reported once.
  const lines = [
    `${name}  ${report.image}${report.platform === undefined ? "" : `  ${report.platform}`}`,
    ...signatures.map(({ signer }) => `  signed by ${signerText(signer)}`),
    ...attestations.map(
      ({ signer, predicateType }) => `  attested ${predicateType} by ${signerText(signer)}`,
    ),
    ...documents.map(
      ({ mediaType, attested }) => `  ${mediaType}${attested ? ", as attested" : ", not attested"}`,
    ),
    ...(blobs.total === 0 ? [] : [`  ${blobs.present} of ${blobs.total} blobs are there`]),
    ...images.flatMap((image) => reportLines("", image).map((line) => `  ${line.trimStart()}`)),
  ];
  return [...new Set(lines)];
}

function signerText(signer: ImageSigner): string {
  return signer.kind === "key" ? `key sha256:${signer.fingerprint}` : `${signer.identity} (${signer.issuer})`;
}
