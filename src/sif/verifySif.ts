import { createHash } from "node:crypto";
import { looksClearSigned } from "../openpgp/cleartext.ts";
import type { KeyFile } from "../openpgp/keyFile.ts";
import { openTrustedKeys, type TrustedKeys, type TrustOptions } from "../openpgp/trustedKeys.ts";
import { type Clock, systemClock } from "../util/clock.ts";
import { digestOfHex } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { openSif, readObject, type SifFile, type SifObject } from "./openSif.ts";
import { signatureAttributes } from "./sifFormat.ts";
import { descriptorDigest, headerDigest, parseSignedDigests } from "./sifIntegrity.ts";

/** A signature is a few kilobytes. */
const largestSignature = 2 ** 20;
/** Most signatures that are examined; no honest file has more. */
const mostSignatures = 64;

/** One signature in a file, and what it is worth. */
export interface SignatureReport {
  /** The object that holds it. */
  readonly id: number;
  /** Key ID of the signer, in upper-case hexadecimal; empty if there is none. */
  readonly fingerprint: string;
  /** Numbers of the objects it covers; empty for one by a key that is not trusted. */
  readonly covers: readonly number[];
  /** Whether a trusted key made it. */
  readonly trusted: boolean;
}

const otherSignatures = "only OpenPGP signatures, as apptainer sign makes them, can be verified";

/** What to do about signatures that are refused. */
const hints: TrustOptions = {
  unknownHint: "if you trust its owner, name the file with the public key: --key FILE",
  invalidHint: "the file was changed after it was signed, or is damaged",
};

/** What {@link verifySif} found. */
export interface SifVerification {
  readonly signatures: readonly SignatureReport[];
  /** Fingerprints of the trusted keys that signed. */
  readonly signedBy: readonly string[];
  /** Numbers of the objects that were verified: all but the signatures. */
  readonly objects: readonly number[];
}

/**
 * Verifies a SIF file: every object but the signatures must be covered by a signature of a trusted key, and every such
 * signature must hold (as made by `apptainer sign` since 3.6, or here). Signatures by others are reported, but prove nothing.
 *
 * @param keys files of OpenPGP public keys that are trusted
 * @throws {SpacktainersError} `SIGNATURE_MISSING` (an object is not signed at all), `KEY_UNKNOWN` (by no trusted key),
 *   `SIGNATURE_INVALID` (a trusted key's signature does not hold, or something was changed since), `KEY_INVALID` (expired or
 *   revoked); `ARCHIVE_INVALID` and others of {@link openSif}
 */
export async function verifySif(
  path: string,
  keys: readonly KeyFile[],
  clock: Clock = systemClock,
): Promise<SifVerification> {
  const sif = await openSif(path);
  try {
    return await verifyOpen(sif, openTrustedKeys(keys, { ...hints, clock }));
  } finally {
    await sif.close();
  }
}

async function verifyOpen(sif: SifFile, keys: TrustedKeys): Promise<SifVerification> {
  const place = { file: sif.path };
  const signatures = sif.objects.filter(({ type }) => type === "signature");
  const content = sif.objects.filter(({ type }) => type !== "signature");
  if (signatures.length === 0)
    throw new SpacktainersError("SIGNATURE_MISSING", "the SIF file is not signed", { place });
  if (signatures.length > mostSignatures)
    throw new SpacktainersError("SIGNATURE_INVALID", `the SIF file has ${signatures.length} signatures`, {
      place,
    });
  const digestOfObject = objectDigests(sif);
  const reports: SignatureReport[] = [];
  const signers = new Set<string>();
  const covered = new Set<number>();
  let stranger: SpacktainersError | undefined;
  for (const signature of signatures) {
    const fingerprint = signatureAttributes(signature)?.fingerprint ?? "";
    const verified = await signedText(sif, signature, keys).catch((error: unknown) => {
      if (!(error instanceof SpacktainersError) || error.code !== "KEY_UNKNOWN") throw error;
      stranger ??= error;
      return undefined;
    });
    if (verified === undefined) {
      reports.push({ id: signature.id, fingerprint, covers: [], trusted: false });
      continue;
    }
    const covers = await checkFacts(sif, signature, verified.text, digestOfObject);
    for (const id of covers) covered.add(id);
    signers.add(verified.signedBy);
    reports.push({ id: signature.id, fingerprint: verified.signedBy, covers, trusted: true });
  }
  if (signers.size === 0 && stranger !== undefined) throw stranger;
  const bare = content.filter(({ id }) => !covered.has(id));
  if (bare.length > 0)
    throw new SpacktainersError(
      "SIGNATURE_MISSING",
      `no trusted signature covers object ${bare.map(({ id }) => id).join(", ")}`,
      { place, hint: "someone may have added it after the file was signed" },
    );
  return { signatures: reports, signedBy: [...signers], objects: content.map(({ id }) => id) };
}

async function signedText(
  sif: SifFile,
  signature: SifObject,
  keys: TrustedKeys,
): Promise<{ readonly text: string; readonly signedBy: string }> {
  const place = { file: sif.path };
  const source = (await readObject(sif, signature, largestSignature)).toString("utf8");
  try {
    return await keys.verifyText(source, place);
  } catch (error) {
    // What is wrong with a key file has its own place.
    if (!(error instanceof SpacktainersError) || error.place !== place) throw error;
    const hint = looksClearSigned(source) ? error.hint : otherSignatures;
    throw new SpacktainersError(error.code, `object ${signature.id}: ${error.message}`, {
      place,
      cause: error,
      hint,
    });
  }
}

/** Compares what was signed with what is in the file. @returns the numbers of the objects that are covered */
async function checkFacts(
  sif: SifFile,
  signature: SifObject,
  text: string,
  digestOfObject: (object: SifObject) => Promise<string>,
): Promise<readonly number[]> {
  const changed = (what: string): SpacktainersError =>
    new SpacktainersError(
      "SIGNATURE_INVALID",
      `object ${signature.id} is a signature over other content: ${what}`,
      {
        place: { file: sif.path },
        hint: "the file was changed after it was signed, or is damaged",
      },
    );
  const facts = parseSignedDigests(text);
  if (facts === undefined) throw changed("it says what it covers in an unknown way");
  if (facts.headerDigest !== headerDigest(sif.rawHeader)) throw changed("the header is another one");
  const { link } = signature;
  const group =
    link === undefined
      ? undefined
      : "group" in link
        ? link.group
        : sif.objects.find(({ id }) => id === link.object)?.group;
  const members = sif.objects.filter((object) => object.type !== "signature" && object.group === group);
  const [first] = members;
  if (group === undefined || group === 0 || first === undefined)
    throw changed("it is linked to no group of objects");
  const covers: number[] = [];
  for (const signed of facts.objects) {
    const object = members.find(({ id }) => id === first.id + signed.relativeId);
    if (object === undefined) throw changed("an object that was signed is missing");
    if (covers.includes(object.id)) throw changed(`it names object ${object.id} twice`);
    if (signed.descriptorDigest !== descriptorDigest(object.raw, signed.relativeId))
      throw changed(`the description of object ${object.id} was changed`);
    if (signed.objectDigest !== (await digestOfObject(object)))
      throw changed(`object ${object.id} was changed`);
    covers.push(object.id);
  }
  return covers;
}

/** Digests of data, each worked out once. */
function objectDigests(sif: SifFile): (object: SifObject) => Promise<string> {
  const known = new Map<number, Promise<string>>();
  const digest = async (object: SifObject): Promise<string> => {
    const hash = createHash("sha256");
    for await (const piece of sif.read(object)) hash.update(piece);
    return digestOfHex(hash.digest("hex"));
  };
  return (object) => {
    const found = known.get(object.id) ?? digest(object);
    known.set(object.id, found);
    return found;
  };
}
