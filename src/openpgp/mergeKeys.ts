/**
 * Copies of keys made one: everything that any file knows of a key counts, in whatever order the files come. A revocation
 * anywhere revokes the key.
 */
import type {
  AnyPacket,
  PublicKey,
  PublicKeyPacket,
  PublicSubkeyPacket,
  SignaturePacket,
  UserAttributePacket,
  UserIDPacket,
} from "openpgp";
import { type Place, SpacktainersError } from "../util/errors.ts";
import type { KeyCopy, KeyMaterial, KeyPart, Revocation } from "./readKeys.ts";

type OpenPgp = typeof import("openpgp");
type UserPacket = UserIDPacket | UserAttributePacket;

/** A key with all that is known of it. */
export interface TrustedKey {
  /** Of the primary key, upper-case hexadecimal. */
  readonly fingerprint: string;
  readonly key: PublicKey;
  /** When the revocation says that it was made; undefined for a key that is not revoked. */
  readonly revoked: Date | undefined;
}

interface MergedKey {
  readonly place: Place;
  readonly packet: PublicKeyPacket;
  readonly fingerprint: string;
  readonly direct: Map<string, SignaturePacket>;
  readonly users: Map<string, MergedPart<UserPacket>>;
  readonly subkeys: Map<string, MergedPart<PublicSubkeyPacket>>;
}

interface MergedPart<P> {
  readonly packet: P;
  readonly signatures: Map<string, SignaturePacket>;
}

/** Revocations hold whenever they were made: no date is compared. (The library's types do not say that null means this.) */
const anyTime = null as unknown as Date;

/**
 * Merges keys by fingerprint and holds every revocation against the key it is of.
 *
 * @returns sorted by fingerprint
 * @throws SpacktainersError KEY_INVALID for a revocation that does not hold, or that only a key could tell that is not there
 */
export async function mergeKeys(openpgp: OpenPgp, material: KeyMaterial): Promise<readonly TrustedKey[]> {
  const keys = new Map<string, MergedKey>();
  for (const copy of material.copies) addCopy(keys, copy);
  for (const key of keys.values()) await checkPartRevocations(openpgp, key);
  const revoked = new Map<string, Date>();
  for (const revocation of material.revocations) {
    for (const key of await revokedKeys(openpgp, revocation, keys))
      revoked.set(key.fingerprint, revocation.signature.created ?? new Date(0));
  }
  return [...keys.values()]
    .sort((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1))
    .map((key) => ({
      fingerprint: key.fingerprint,
      key: assemble(openpgp, key),
      revoked: revoked.get(key.fingerprint),
    }));
}

function addCopy(keys: Map<string, MergedKey>, copy: KeyCopy): void {
  const known = keys.get(copy.fingerprint);
  const key: MergedKey = known ?? {
    place: copy.place,
    packet: copy.packet,
    fingerprint: copy.fingerprint,
    direct: new Map(),
    users: new Map(),
    subkeys: new Map(),
  };
  if (known === undefined) keys.set(copy.fingerprint, key);
  addSignatures(key.direct, copy.direct);
  for (const part of copy.users) addPart(key.users, contentOf(part.packet), part);
  for (const part of copy.subkeys) addPart(key.subkeys, part.packet.getFingerprint(), part);
}

function addPart<P>(
  parts: Map<string, MergedPart<P>>,
  name: string,
  { packet, signatures }: KeyPart<P>,
): void {
  const known = parts.get(name) ?? { packet, signatures: new Map() };
  parts.set(name, known);
  addSignatures(known.signatures, signatures);
}

function addSignatures(known: Map<string, SignaturePacket>, more: readonly SignaturePacket[]): void {
  for (const signature of more) known.set(contentOf(signature), signature);
}

/** The bytes of a packet, with its type in front: users' names and attributes must not be taken for one another. */
function contentOf(packet: AnyPacket): string {
  return `${packet.constructor.name} ${Buffer.from(packet.write()).toString("base64")}`;
}

/**
 * The keys that a revocation revokes: its issuer's own, or one that lets the issuer revoke it. None when it is of a key that
 * is not here, or of somebody who has no say.
 */
async function revokedKeys(
  openpgp: OpenPgp,
  revocation: Revocation,
  keys: ReadonlyMap<string, MergedKey>,
): Promise<readonly MergedKey[]> {
  const { signature, behind, place } = revocation;
  const issuer = signature.issuerKeyID.toHex();
  const issuers = [...keys.values()].filter(({ packet }) => packet.getKeyID().toHex() === issuer);
  const wards = [...keys.values()].filter(
    (key) => (behind === undefined || behind === key.fingerprint) && isDesignated(key, issuer),
  );
  const [first] = [...issuers, ...wards];
  if (first === undefined) return [];
  if (issuers.length === 0)
    throw new SpacktainersError(
      "KEY_INVALID",
      `the key ${first.fingerprint} has a revocation by the key ${issuer.toUpperCase()}, which may revoke it`,
      { place, hint: "also name the public key that revoked it, or leave out the revoked key" },
    );
  const found: MergedKey[] = [];
  let failure: unknown;
  for (const by of issuers)
    for (const key of [by, ...wards])
      await signature
        .verify(by.packet, openpgp.enums.signature.keyRevocation, { key: key.packet }, anyTime)
        .then(
          () => found.push(key),
          (cause) => {
            failure ??= cause;
          },
        );
  if (found.length === 0) throw falseRevocation(first, place, failure);
  return found;
}

/** Whether a key names another one that may revoke it (RFC 9580, section 5.2.3.23). */
function isDesignated(key: MergedKey, issuer: string): boolean {
  const signatures = [key.direct, ...[...key.users.values()].map((user) => user.signatures)];
  return signatures
    .flatMap((some) => [...some.values()])
    .some(({ revocationKeyFingerprint: named }) => {
      return named !== null && Buffer.from(named).toString("hex").endsWith(issuer);
    });
}

/** Revocations of sub-keys and of names by the key itself, which the library ignores when they do not hold. */
async function checkPartRevocations(openpgp: OpenPgp, key: MergedKey): Promise<void> {
  const { subkeyRevocation, certRevocation } = openpgp.enums.signature;
  const own = key.packet.getKeyID().toHex();
  const check = async (
    { signatures }: MergedPart<unknown>,
    type: typeof subkeyRevocation | typeof certRevocation,
    data: object,
  ): Promise<void> => {
    for (const signature of signatures.values()) {
      if (signature.signatureType !== type || signature.issuerKeyID.toHex() !== own) continue;
      await signature.verify(key.packet, type, data, anyTime).catch((cause) => {
        throw falseRevocation(key, key.place, cause);
      });
    }
  };
  for (const part of key.subkeys.values())
    await check(part, subkeyRevocation, { key: key.packet, bind: part.packet });
  for (const part of key.users.values()) {
    const isName = part.packet instanceof openpgp.UserIDPacket;
    await check(part, certRevocation, {
      key: key.packet,
      ...(isName ? { userID: part.packet } : { userAttribute: part.packet }),
    });
  }
}

/** The library's form of a key, without revocations of the key itself. */
function assemble(openpgp: OpenPgp, key: MergedKey): PublicKey {
  const packets = new openpgp.PacketList<AnyPacket>();
  packets.push(key.packet, ...sorted(key.direct));
  for (const [, { packet, signatures }] of [...key.users, ...key.subkeys].sort(byName)) {
    packets.push(packet, ...sorted(signatures));
  }
  return new openpgp.PublicKey(packets);
}

function sorted(signatures: ReadonlyMap<string, SignaturePacket>): readonly SignaturePacket[] {
  return [...signatures].sort(byName).map(([, signature]) => signature);
}

function byName(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}

function falseRevocation(key: MergedKey, place: Place, cause: unknown): SpacktainersError {
  return new SpacktainersError("KEY_INVALID", `a revocation of the key ${key.fingerprint} does not hold`, {
    place,
    hint: "it is damaged, or was not made by the key's owner: get it again, or leave it out",
    cause,
  });
}
