/** in-toto statements, version 1: a claim (the predicate) on images named by digest (in-toto attestation framework). */
import * as z from "zod";
import { type Digest, digestOfHex, hexOfDigest } from "../util/digest.ts";

/** `_type` of a statement. */
export const statementType = "https://in-toto.io/Statement/v1";
/** Older writers' `_type`; cosign writes it to this day. */
const olderStatementType = "https://in-toto.io/Statement/v0.1";

/** Types of predicates; those of cosign's `--type` of the same names. */
export const predicateTypes = {
  spdx: "https://spdx.dev/Document",
  cyclonedx: "https://cyclonedx.org/bom",
  provenance: "https://slsa.dev/provenance/v1",
  /** What cosign's bundles of signatures claim: that the image is signed, no more. */
  signature: "https://sigstore.dev/cosign/sign/v1",
} as const;

/** A claim on one image. */
export interface InTotoStatement {
  readonly _type: typeof statementType;
  readonly subject: readonly {
    readonly name?: string;
    readonly digest: { readonly sha256: string };
  }[];
  readonly predicateType: string;
  readonly predicate: object;
}

/** A statement on an image. */
export function statement(
  image: Digest,
  name: string | undefined,
  predicateType: string,
  predicate: object,
): InTotoStatement {
  const digest = { sha256: hexOfDigest(image) };
  return {
    _type: statementType,
    subject: [name === undefined ? { digest } : { name, digest }],
    predicateType,
    predicate,
  };
}

const document = z.object({
  _type: z.enum([statementType, olderStatementType]),
  subject: z
    .array(z.object({ digest: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }) }))
    .min(1)
    .max(10_000),
  predicateType: z.string().max(1024),
  predicate: z.unknown(),
});

/** A statement as others wrote it. */
export interface ReadStatement {
  readonly images: readonly Digest[];
  readonly predicateType: string;
  readonly predicate: unknown;
}

/** Reads a statement; undefined if it is not one, or has a subject without a SHA-256. */
export function readStatement(bytes: Uint8Array): ReadStatement | undefined {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
  const parsed = document.safeParse(json);
  if (!parsed.success) return undefined;
  const { subject, predicateType, predicate } = parsed.data;
  return { images: subject.map(({ digest }) => digestOfHex(digest.sha256)), predicateType, predicate };
}
