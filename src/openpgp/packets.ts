/** The framing of OpenPGP packets (RFC 9580, section 4.2). */
import { type Place, SpacktainersError } from "../util/errors.ts";

/** One packet, unread. */
export interface RawPacket {
  /** Type of the packet (section 5). */
  readonly tag: number;
  readonly body: Uint8Array;
}

/** Types of packets that keys consist of. */
export const packetTags = {
  signature: 2,
  secretKey: 5,
  publicKey: 6,
  secretSubkey: 7,
  marker: 10,
  trust: 12,
  userId: 13,
  publicSubkey: 14,
  userAttribute: 17,
  padding: 21,
} as const;

/**
 * Splits bytes into packets. Those of keys have a definite length.
 *
 * @throws SpacktainersError KEY_INVALID when the bytes are no packets, or end within one
 */
export function splitPackets(bytes: Uint8Array, place: Place): readonly RawPacket[] {
  const fail = (what: string): never => {
    throw new SpacktainersError("KEY_INVALID", `this is not an OpenPGP key: ${what}`, {
      place,
      hint: "get the file again; public keys are exported with: gpg --export FINGERPRINT",
    });
  };
  const packets: RawPacket[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const number = (octets: 1 | 2 | 4): number => {
    if (at + octets > bytes.length) return fail("it ends within a packet");
    const value = octets === 1 ? view.getUint8(at) : octets === 2 ? view.getUint16(at) : view.getUint32(at);
    at += octets;
    return value;
  };
  while (at < bytes.length) {
    const head = number(1);
    if ((head & 0x80) === 0) fail("something in it is not a packet");
    let tag: number;
    let length: number;
    if ((head & 0x40) === 0) {
      tag = (head >> 2) & 0x0f;
      const kind = head & 0x03;
      length =
        kind === 3 ? fail("a packet has no definite length") : number(kind === 0 ? 1 : kind === 1 ? 2 : 4);
    } else {
      tag = head & 0x3f;
      const first = number(1);
      if (first < 192) length = first;
      else if (first < 224) length = ((first - 192) << 8) + number(1) + 192;
      else length = first === 255 ? number(4) : fail("a packet has no definite length");
    }
    if (at + length > bytes.length) fail("it ends within a packet");
    packets.push({ tag, body: bytes.subarray(at, at + length) });
    at += length;
  }
  return packets;
}

/** The type of a signature that may be of a version that is not known: where it lies has not changed since version 3. */
export function signatureTypeOf(body: Uint8Array): number | undefined {
  const version = body[0];
  if (version === undefined || version < 2) return undefined;
  return version < 4 ? body[2] : body[1];
}
