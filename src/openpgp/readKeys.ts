/** Files of public keys, read: copies of keys, and revocations that may be of any of them. */
import type {
  AnyPacket,
  PublicKeyPacket,
  PublicSubkeyPacket,
  SignaturePacket,
  UserAttributePacket,
  UserIDPacket,
} from "openpgp";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { readBlocks } from "./armor.ts";
import type { KeyFile } from "./keyFile.ts";
import { packetTags, type RawPacket, signatureTypeOf, splitPackets } from "./packets.ts";

type OpenPgp = typeof import("openpgp");

/** Part of a key with the signatures behind it. */
export interface KeyPart<P> {
  readonly packet: P;
  readonly signatures: SignaturePacket[];
}

/** A key as one file has it. Other files may know more of it. */
export interface KeyCopy {
  readonly place: Place;
  readonly packet: PublicKeyPacket;
  /** Upper-case hexadecimal. */
  readonly fingerprint: string;
  /** Signatures over the key itself, other than revocations of it. */
  readonly direct: SignaturePacket[];
  readonly users: KeyPart<UserIDPacket | UserAttributePacket>[];
  readonly subkeys: KeyPart<PublicSubkeyPacket>[];
}

/** A signature that says that a key is revoked: which one, its issuer must show. */
export interface Revocation {
  readonly place: Place;
  readonly signature: SignaturePacket;
  /** Fingerprint of the key behind which it stands; undefined when it stands by itself. */
  readonly behind: string | undefined;
}

/** What a set of files holds. */
export interface KeyMaterial {
  readonly copies: readonly KeyCopy[];
  readonly revocations: readonly Revocation[];
}

/** Packets in a file. Distributions' key rings have some hundreds. */
const maxPackets = 100_000;

/**
 * Reads every key and every revocation in a set of files.
 *
 * @throws SpacktainersError KEY_INVALID, with file and line, for what cannot be read: no keys at all, damage, private keys,
 *   keys and revocations of versions that are not known
 */
export async function readKeyMaterial(openpgp: OpenPgp, files: readonly KeyFile[]): Promise<KeyMaterial> {
  const copies: KeyCopy[] = [];
  const revocations: Revocation[] = [];
  for (const { name, content } of files) {
    const before = copies.length + revocations.length;
    for (const { kind, bytes, place } of readBlocks(content, name)) {
      if (kind === "PRIVATE KEY BLOCK") throw privateKey(place);
      if (kind !== "binary" && kind !== "PUBLIC KEY BLOCK")
        throw unreadable(`this is not a public key, but: ${kind.toLowerCase()}`, place);
      const read = await readPackets(openpgp, splitPackets(bytes, place), place);
      copies.push(...read.copies);
      revocations.push(...read.revocations);
    }
    if (copies.length + revocations.length === before) throw noKey(content, { file: name });
  }
  return { copies, revocations };
}

async function readPackets(
  openpgp: OpenPgp,
  packets: readonly RawPacket[],
  place: Place,
): Promise<KeyMaterial> {
  if (packets.length > maxPackets) throw unreadable("this has too many parts for a key file", place);
  const copies: KeyCopy[] = [];
  const revocations: Revocation[] = [];
  let key: KeyCopy | undefined;
  /** Where signatures belong; undefined behind a part that cannot be read and that nobody needs. */
  let part: SignaturePacket[] | undefined;
  for (const { tag, body } of packets) {
    switch (tag) {
      case packetTags.publicKey: {
        const packet = await read(new openpgp.PublicKeyPacket(), body);
        if (packet === undefined)
          throw unreadable("a key here is damaged, or of a version or an algorithm that is not known", place);
        const fingerprint = packet.getFingerprint().toUpperCase();
        key = { place, packet, fingerprint, direct: [], users: [], subkeys: [] };
        copies.push(key);
        part = key.direct;
        break;
      }
      case packetTags.userId:
      case packetTags.userAttribute: {
        const empty =
          tag === packetTags.userId ? new openpgp.UserIDPacket() : new openpgp.UserAttributePacket();
        const packet = await read(empty, body);
        part = packet === undefined ? undefined : addPart(key?.users, packet);
        break;
      }
      case packetTags.publicSubkey: {
        const packet = await read(new openpgp.PublicSubkeyPacket(), body);
        part = packet === undefined ? undefined : addPart(key?.subkeys, packet);
        break;
      }
      case packetTags.signature: {
        const signature = await read(new openpgp.SignaturePacket(), body);
        const type = signature?.signatureType ?? signatureTypeOf(body);
        const { keyRevocation, subkeyRevocation, certRevocation } = openpgp.enums.signature;
        if (type === keyRevocation) {
          if (signature === undefined) throw unreadableRevocation(place);
          revocations.push({ place, signature, behind: key?.fingerprint });
        } else if (key === undefined) {
          throw unreadable("a signature stands here by itself that revokes no key", place);
        } else if (signature !== undefined) {
          part?.push(signature);
        } else if (part !== undefined && (type === subkeyRevocation || type === certRevocation)) {
          throw unreadableRevocation(place);
        }
        break;
      }
      case packetTags.secretKey:
      case packetTags.secretSubkey:
        throw privateKey(place);
      case packetTags.marker:
      case packetTags.trust:
      case packetTags.padding:
        break;
      default:
        // Types from 40 on may be left out by who does not know them (section 4.3).
        if (tag < 40) throw unreadable("there is something here that belongs to no key", place);
    }
  }
  return { copies, revocations };
}

function addPart<P>(parts: KeyPart<P>[] | undefined, packet: P): SignaturePacket[] {
  const signatures: SignaturePacket[] = [];
  parts?.push({ packet, signatures });
  return signatures;
}

/** Fills a packet; undefined when it is damaged or of an unknown form. */
async function read<P extends AnyPacket & { read(bytes: Uint8Array): Promise<void> | void }>(
  packet: P,
  body: Uint8Array,
): Promise<P | undefined> {
  try {
    await packet.read(body);
    return packet;
  } catch {
    return undefined;
  }
}

function noKey(content: Uint8Array, place: Place): SpacktainersError {
  const keybox = Buffer.from(content.subarray(8, 12)).toString("latin1") === "KBXf";
  return new SpacktainersError("KEY_INVALID", "there is no key in this file", {
    place,
    hint: `${keybox ? "this is GnuPG's own key box; " : ""}export a public key with: gpg --armor --export FINGERPRINT`,
  });
}

function privateKey(place: Place): SpacktainersError {
  return new SpacktainersError("KEY_INVALID", "this is a private key", {
    place,
    hint: "configure the public key only, and keep this file to yourself",
  });
}

function unreadable(message: string, place: Place): SpacktainersError {
  return new SpacktainersError("KEY_INVALID", message, {
    place,
    hint: "leave it out, or export the public key again with: gpg --armor --export FINGERPRINT",
  });
}

function unreadableRevocation(place: Place): SpacktainersError {
  return new SpacktainersError("KEY_INVALID", "a revocation here cannot be read", {
    place,
    hint: "so it is unknown what it revokes: leave its key out, or export the key again with a newer GnuPG",
  });
}
