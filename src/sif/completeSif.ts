/** What is around the file system in a SIF file: documents, descriptors, header, signature. */
import { createHash } from "node:crypto";
import { open, stat } from "node:fs/promises";
import type { Signer } from "../openpgp/signer.ts";
import { type Digest, digestOf } from "../util/digest.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import type { ContainerRoot } from "./containerRoot.ts";
import { digestOfRange, writeAll } from "./fileRange.ts";
import type { SifDocument } from "./sifDocuments.ts";
import {
  alignment,
  descriptorCount,
  descriptorSize,
  encodeDescriptor,
  encodeHeader,
  formatId,
  noExtra,
  partitionExtra,
  type SifDescriptor,
  signatureExtra,
} from "./sifFormat.ts";
import { descriptorDigest, formatSignedDigests, headerDigest } from "./sifIntegrity.ts";

/** The group that all objects belong to. */
const group = 1;

/** Where data begin in a file with our table of descriptors. */
const dataOffset = alignment + descriptorCount * descriptorSize;

/** What a SIF file is made of. */
export interface SifParts {
  /** Where the file system begins. */
  readonly start: number;
  readonly root: ContainerRoot;
  readonly documents: readonly SifDocument[];
  /** Undefined: the file is not signed. */
  readonly signer: Signer | undefined;
}

/** Where the file system begins, behind the documents. */
export function fileSystemStart(documents: readonly SifDocument[]): number {
  return align(documents.reduce((end, { bytes }) => end + bytes.length, dataOffset));
}

/** The next offset at which an object may begin. */
export function align(offset: number): number {
  return Math.ceil(offset / alignment) * alignment;
}

/** Writes documents, descriptors and header around the file system; returns the ID. */
export async function completeSif(
  path: string,
  { start, root, documents, signer }: SifParts,
): Promise<string> {
  const { created, architecture } = root;
  const size = (await stat(path)).size - start;
  const partition = await digestOfRange(path, start);
  const file = await open(path, "r+");
  try {
    const common = { group, link: undefined, created, modified: created } as const;
    const descriptors: SifDescriptor[] = [];
    const digests: Digest[] = [];
    let end = dataOffset;
    for (const { type, name, bytes } of documents) {
      await writeAll(file, bytes, end);
      const extent = { offset: end, size: bytes.length, sizeWithPadding: bytes.length };
      descriptors.push({ ...common, ...extent, type, id: descriptors.length + 1, name, extra: noExtra });
      digests.push(digestOf(bytes));
      end += bytes.length;
    }
    descriptors.push({
      ...common,
      type: "partition",
      id: descriptors.length + 1,
      offset: start,
      size,
      sizeWithPadding: start - end + size,
      name: "",
      extra: partitionExtra("squashfs", "primary system", architecture),
    });
    digests.push(partition);
    end = start + size;
    const id = contentId(created, architecture, descriptors, digests);
    const header = (count: number, dataEnd: number): Buffer =>
      encodeHeader({
        architecture,
        id,
        created,
        modified: created,
        descriptorsFree: descriptorCount - count,
        descriptorsTotal: descriptorCount,
        descriptorsOffset: alignment,
        descriptorsSize: descriptorCount * descriptorSize,
        dataOffset,
        dataSize: dataEnd - dataOffset,
      });
    if (signer !== undefined) {
      const objects = descriptors.map((descriptor, index) => ({
        relativeId: index,
        descriptorDigest: descriptorDigest(encodeDescriptor(descriptor), index),
        objectDigest: digests[index] ?? partition,
      }));
      const text = formatSignedDigests({ headerDigest: headerDigest(header(0, end)), objects });
      const signature = Buffer.from(await signer.signText(text, signatureTime()));
      await writeAll(file, signature, end);
      descriptors.push({
        ...common,
        type: "signature",
        id: descriptors.length + 1,
        group: 0,
        link: { group },
        offset: end,
        size: signature.length,
        sizeWithPadding: signature.length,
        name: "",
        extra: signatureExtra("SHA256", signer.fingerprint),
      });
      end += signature.length;
    }
    const table = Buffer.concat(descriptors.map(encodeDescriptor));
    await writeAll(file, table, alignment);
    await writeAll(file, header(descriptors.length, end), 0);
    return formatId(id);
  } finally {
    await file.close();
  }
}

/** Of what is in the file, in the form of a UUID of version 8 (RFC 9562: bytes of our own choice). */
function contentId(
  created: number,
  architecture: string,
  descriptors: readonly SifDescriptor[],
  digests: readonly Digest[],
): Buffer {
  const hash = createHash("sha256").update(`spacktainers sif 1\n${created} ${architecture}\n`);
  for (const [index, { type, name, size }] of descriptors.entries())
    hash.update(`${type} ${size} ${digests[index]} ${name}\n`);
  const id = hash.digest().subarray(0, 16);
  id[6] = ((id[6] ?? 0) & 0x0f) | 0x80;
  id[8] = ((id[8] ?? 0) & 0x3f) | 0x80;
  return id;
}

/** A signature says when it was made, and a key is not valid before its own time: the clock, unless `SOURCE_DATE_EPOCH` is set. */
function signatureTime(): number {
  const now = Math.floor(Date.now() / 1000);
  const { SOURCE_DATE_EPOCH: wanted } = hostEnvironment();
  return wanted === undefined || !/^[0-9]{1,11}$/.test(wanted) ? now : Number(wanted);
}
