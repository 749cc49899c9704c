import {
  CleartextMessage,
  config,
  enums,
  PacketList,
  type PrivateKey,
  Signature,
  SignaturePacket,
} from "openpgp";

/** A text over a standalone signature, which is valid by itself: nothing of the text goes into it. */
export async function underStandaloneSignature(text: string, key: PrivateKey): Promise<string> {
  const packet = new SignaturePacket() as SignaturePacket & Record<string, unknown>;
  const signer = key.keyPacket as unknown as { algorithm: number };
  packet.signatureType = enums.signature.standalone;
  packet.publicKeyAlgorithm = signer.algorithm;
  packet.hashAlgorithm = enums.hash.sha512;
  const standalone = packet as unknown as {
    sign(key: unknown, data: object, date: Date, detached: boolean, settings: object): Promise<void>;
  };
  await standalone.sign(signer, {}, new Date(), true, config);
  const Cleartext = CleartextMessage as unknown as new (
    signed: string,
    signature: Signature,
  ) => { armor(): string };
  const packets = new PacketList<SignaturePacket>();
  packets.push(packet);
  return new Cleartext(text, new Signature(packets)).armor();
}
