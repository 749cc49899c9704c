/**
 * Signing without a key of one's own: a certificate authority (Fulcio) vouches for an identity that CI gives, and a public
 * log (Rekor) remembers. The work is done by the libraries of the Sigstore project, which are loaded when they are needed.
 */
import type { BundleWithDsseEnvelope } from "@sigstore/bundle";
import { SpacktainersError } from "../util/errors.ts";
import { isJsonObject, type JsonObject } from "../util/json.ts";
import { redactUrl } from "../util/redact.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { inTotoPayloadType } from "./dsse.ts";
import type { InTotoStatement } from "./statement.ts";
import type { ImageSigner } from "./verifyImage.ts";

/** The services of a Sigstore instance. */
export interface KeylessServices {
  /** Default: the public instance's. */
  readonly fulcioUrl?: string | undefined;
  /** Default: the public instance's. */
  readonly rekorUrl?: string | undefined;
  /** A timestamp authority (RFC 3161); default: none, the log's time counts. */
  readonly timestampUrl?: string;
}

/** Milliseconds to wait for an answer, and how often to ask again. */
const timeout = 30_000;
const retry = 2;

/**
 * Whether this environment gives an identity to sign with: GitHub Actions with `id-token: write`, or a token in
 * `SIGSTORE_ID_TOKEN` (GitLab's `id_tokens`, audience `sigstore`).
 */
export function hasAmbientIdentity(env: NodeJS.ProcessEnv = hostEnvironment()): boolean {
  const isSet = (name: string): boolean => env[name] !== undefined && env[name] !== "";
  return (
    isSet("SIGSTORE_ID_TOKEN") ||
    (isSet("ACTIONS_ID_TOKEN_REQUEST_URL") && isSet("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
  );
}

/**
 * Makes what signs statements with the identity of this environment. Each statement gets a key and a certificate of its
 * own, and an entry in the log, which is public.
 *
 * @returns from a statement to its bundle
 * @throws {SpacktainersError} `NOT_SUPPORTED` when there is no identity; of the bundle's making: `NETWORK`
 */
export async function openKeylessSigning(
  services: KeylessServices = {},
  env: NodeJS.ProcessEnv = hostEnvironment(),
): Promise<(statement: InTotoStatement) => Promise<JsonObject>> {
  if (!hasAmbientIdentity(env))
    throw new SpacktainersError("NOT_SUPPORTED", "there is no identity to sign with here", {
      hint: "in GitHub Actions: `permissions: id-token: write`; elsewhere: a token in SIGSTORE_ID_TOKEN; or sign with --key",
    });
  const [sign, { bundleToJSON }] = await Promise.all([import("@sigstore/sign"), import("@sigstore/bundle")]);
  const fulcioBaseURL = services.fulcioUrl ?? sign.DEFAULT_FULCIO_URL;
  const rekorBaseURL = services.rekorUrl ?? sign.DEFAULT_REKOR_URL;
  const common = { timeout, retry };
  const { timestampUrl } = services;
  return async (statement) => {
    const builder = new sign.DSSEBundleBuilder({
      signer: new sign.FulcioSigner({
        fulcioBaseURL,
        identityProvider: new sign.CIContextProvider("sigstore"),
        ...common,
      }),
      witnesses: [
        new sign.RekorWitness({ rekorBaseURL, entryType: "dsse", ...common }),
        ...(timestampUrl === undefined ? [] : [new sign.TSAWitness({ tsaBaseURL: timestampUrl, ...common })]),
      ],
    });
    const data = Buffer.from(JSON.stringify(statement), "utf8");
    let bundle: BundleWithDsseEnvelope;
    try {
      bundle = await builder.create({ data, type: inTotoPayloadType });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new SpacktainersError("NETWORK", `signing without a key failed: ${reason.slice(0, 300)}`, {
        place: { url: redactUrl(fulcioBaseURL) },
        cause,
      });
    }
    const json: unknown = bundleToJSON(bundle);
    if (!isJsonObject(json)) throw new SpacktainersError("INTERNAL", "a bundle is not a JSON object");
    return json;
  };
}

/** Who may have signed. */
export interface CertificatePolicy {
  /** The subject of the certificate: a workflow's URL or an address, word for word. */
  readonly identity: string;
  /** Who vouched for the subject, such as `https://token.actions.githubusercontent.com`. */
  readonly issuer: string;
  /** Certificates have to be in a transparency log; false only for private instances without one. */
  readonly certificateLog: boolean;
}

/**
 * Makes what verifies bundles with a certificate, for {@link VerificationPolicy.verifyCertified}: chain, times, logs,
 * signature, identity and issuer.
 *
 * @param trustedRoot a `trusted_root.json`: the keys and certificates of a Sigstore instance. It is not fetched: whoever
 *   verifies has to have it from where they trust it (`cosign trusted-root create`, `gh attestation trusted-root`).
 * @throws {SpacktainersError} `KEY_INVALID` when the trusted root cannot be read
 */
export async function openCertificateVerifier(
  trustedRoot: unknown,
  policy: CertificatePolicy,
): Promise<(bundle: JsonObject) => ImageSigner | undefined> {
  const [
    { toSignedEntity, toTrustMaterial, Verifier },
    { bundleFromJSON, isBundleWithDsseEnvelope },
    { TrustedRoot },
  ] = await Promise.all([
    import("@sigstore/verify"),
    import("@sigstore/bundle"),
    import("@sigstore/protobuf-specs"),
  ]);
  let verifier: InstanceType<typeof Verifier>;
  try {
    const root = TrustedRoot.fromJSON(trustedRoot);
    if (root.certificateAuthorities.length === 0) throw new Error("it names no certificate authority");
    verifier = new Verifier(toTrustMaterial(root), { ctlogThreshold: policy.certificateLog ? 1 : 0 });
  } catch (cause) {
    throw new SpacktainersError("KEY_INVALID", "the trusted root cannot be read", {
      hint: "a trusted_root.json of a Sigstore instance: cosign trusted-root create",
      cause,
    });
  }
  const { identity, issuer } = policy;
  return (bundle) => {
    try {
      const read = bundleFromJSON(bundle);
      if (!isBundleWithDsseEnvelope(read)) return undefined;
      const signer = verifier.verify(toSignedEntity(read));
      // Compared here, as a whole: the library takes the identity for a pattern.
      const found = signer.identity;
      if (found?.subjectAlternativeName !== identity || found.extensions?.issuer !== issuer) return undefined;
      return { kind: "certificate", identity, issuer };
    } catch {
      // Whatever is wrong with it: it does not hold.
      return undefined;
    }
  };
}
