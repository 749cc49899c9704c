/**
 * The Singularity Image Format, version 01: a header of 128 bytes, a table of descriptors of 585 bytes each, and the data
 * objects. All numbers are little-endian. Source: what `siftool` and Apptainer 1.4 write and read.
 */
import type { Place } from "../util/errors.ts";
import { SpacktainersError } from "../util/errors.ts";

/** What Apptainer and Singularity push SIF files to registries as (media type of the layer). */
export const sifMediaType = "application/vnd.sylabs.sif.layer.v1.sif";

/** Bytes of the global header. */
export const headerSize = 128;
/** Bytes of one descriptor. */
export const descriptorSize = 585;
/** Where Apptainer puts the table of descriptors, and what file systems in the file are aligned to. */
export const alignment = 4096;
/** Descriptors in the table of a file we write; as many as Apptainer has. */
export const descriptorCount = 48;
/** Marks a number of a group, where an object's number could stand as well. */
export const groupMask = 0xf0000000;

/** Where in the header some numbers are, for changing them alone. */
export const headerFields = { descriptorsFree: 80, dataSize: 120 } as const;

const launchScript = "#!/usr/bin/env run-singularity\n";
const magic = "SIF_MAGIC";
const version = "01";

/** What a data object is, by the number in its descriptor. */
export const dataTypes = {
  definition: 0x4001,
  environment: 0x4002,
  labels: 0x4003,
  partition: 0x4004,
  signature: 0x4005,
  json: 0x4006,
  generic: 0x4007,
  cryptoMessage: 0x4008,
  sbom: 0x4009,
  ociRootIndex: 0x400a,
  ociBlob: 0x400b,
} as const;

/** Kind of a data object. */
export type DataType = keyof typeof dataTypes;

/** File systems of partitions, by number. */
export const fileSystems = { squashfs: 1, ext3: 2, immutable: 3, raw: 4, "encrypted squashfs": 5 } as const;
export type FileSystem = keyof typeof fileSystems;

/** What a partition is for, by number. */
export const partitionTypes = { system: 1, "primary system": 2, data: 3, overlay: 4 } as const;
export type PartitionType = keyof typeof partitionTypes;

/** Architectures, by the two digits that stand for them. */
const architectureCodes: Readonly<Record<string, string>> = {
  "386": "01",
  amd64: "02",
  arm: "03",
  arm64: "04",
  ppc64: "05",
  ppc64le: "06",
  mips: "07",
  mipsle: "08",
  mips64: "09",
  mips64le: "10",
  s390x: "11",
  riscv64: "12",
};

/** Hashes of signatures, by number. */
export const hashTypes = { SHA256: 1, SHA384: 2, SHA512: 3, BLAKE2s_256: 4, BLAKE2b_256: 5 } as const;
export type HashType = keyof typeof hashTypes;

/** The global header. */
export interface SifHeader {
  /** Of the primary partition, in Go's words; `unknown` when there is none. */
  readonly architecture: string;
  /** 16 bytes. */
  readonly id: Buffer;
  /** Seconds since 1970. */
  readonly created: number;
  readonly modified: number;
  readonly descriptorsFree: number;
  readonly descriptorsTotal: number;
  /** Byte offsets from the beginning of the file, and lengths in bytes. */
  readonly descriptorsOffset: number;
  readonly descriptorsSize: number;
  readonly dataOffset: number;
  readonly dataSize: number;
}

/** The attributes of a partition. */
export interface PartitionAttributes {
  readonly fileSystem: FileSystem | "unknown";
  readonly use: PartitionType | "unknown";
  readonly architecture: string;
}

/** The attributes of a signature. */
export interface SignatureAttributes {
  readonly hash: HashType | "unknown";
  /** Upper-case hexadecimal; empty for signatures of other kinds than OpenPGP. */
  readonly fingerprint: string;
}

/** A descriptor of one data object. */
export interface SifDescriptor {
  readonly type: DataType;
  /** Numbers of objects count from 1. */
  readonly id: number;
  /** The group it belongs to; 0: none. */
  readonly group: number;
  /** What it is about: an object, a whole group, or nothing. */
  readonly link: { readonly object: number } | { readonly group: number } | undefined;
  readonly offset: number;
  readonly size: number;
  /** Size and what lies unused before it. */
  readonly sizeWithPadding: number;
  readonly created: number;
  readonly modified: number;
  readonly name: string;
  /** The 384 bytes whose meaning depends on the type. */
  readonly extra: Buffer;
}

const nameSize = 128;
const extraSize = 384;

/** The bytes of a global header. */
export function encodeHeader(header: SifHeader): Buffer {
  const bytes = Buffer.alloc(headerSize);
  bytes.write(launchScript, 0, "latin1");
  bytes.write(magic, 32, "latin1");
  bytes.write(version, 42, "latin1");
  bytes.write(architectureCodes[header.architecture] ?? "00", 45, "latin1");
  header.id.copy(bytes, 48, 0, 16);
  const numbers = [
    header.created,
    header.modified,
    header.descriptorsFree,
    header.descriptorsTotal,
    header.descriptorsOffset,
    header.descriptorsSize,
    header.dataOffset,
    header.dataSize,
  ];
  for (const [index, value] of numbers.entries()) bytes.writeBigInt64LE(BigInt(value), 64 + 8 * index);
  return bytes;
}

/** Whether a file begins as SIF files do. @param bytes its first {@link headerSize}, or fewer where it is shorter */
export function isSifHead(bytes: Buffer): boolean {
  return text(bytes, 32, 10) === magic;
}

/**
 * Reads a global header.
 *
 * @param bytes at least {@link headerSize}
 * @throws {SpacktainersError} `ARCHIVE_INVALID`
 */
export function decodeHeader(bytes: Buffer, place: Place): SifHeader {
  if (bytes.length < headerSize || !isSifHead(bytes))
    throw new SpacktainersError("ARCHIVE_INVALID", "this is not a SIF file", { place });
  if (text(bytes, 42, 3) !== version)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `the SIF file is of version ${JSON.stringify(text(bytes, 42, 3))}; ${version} is known here`,
      { place },
    );
  const number = (index: number): number => safe(bytes.readBigInt64LE(64 + 8 * index), place);
  return {
    architecture: architectureOf(text(bytes, 45, 3)),
    id: Buffer.from(bytes.subarray(48, 64)),
    created: number(0),
    modified: number(1),
    descriptorsFree: number(2),
    descriptorsTotal: number(3),
    descriptorsOffset: number(4),
    descriptorsSize: number(5),
    dataOffset: number(6),
    dataSize: number(7),
  };
}

/** The part of a header that signatures cover: all but architecture, times and the table's extent. */
export function signedHeaderBytes(header: Buffer): Buffer {
  return Buffer.concat([header.subarray(0, 45), header.subarray(48, 64)]);
}

/** The bytes of a descriptor. */
export function encodeDescriptor(descriptor: SifDescriptor): Buffer {
  const bytes = Buffer.alloc(descriptorSize);
  bytes.writeInt32LE(dataTypes[descriptor.type], 0);
  bytes.writeUInt8(1, 4);
  bytes.writeUInt32LE(descriptor.id, 5);
  bytes.writeUInt32LE(groupNumber(descriptor.group), 9);
  bytes.writeUInt32LE(linkNumber(descriptor.link), 13);
  const numbers = [
    descriptor.offset,
    descriptor.size,
    descriptor.sizeWithPadding,
    descriptor.created,
    descriptor.modified,
  ];
  for (const [index, value] of numbers.entries()) bytes.writeBigInt64LE(BigInt(value), 17 + 8 * index);
  // Owners (two numbers more) are no longer used: they stay 0.
  bytes.write(descriptor.name, 73, nameSize - 1, "utf8");
  descriptor.extra.copy(bytes, 73 + nameSize, 0, extraSize);
  return bytes;
}

/**
 * Reads a descriptor.
 *
 * @param bytes exactly {@link descriptorSize}
 * @returns undefined for an unused one
 * @throws {SpacktainersError} `ARCHIVE_INVALID`
 */
export function decodeDescriptor(bytes: Buffer, place: Place): SifDescriptor | undefined {
  if (bytes.readUInt8(4) === 0) return undefined;
  const number = bytes.readInt32LE(0);
  const type = keyOf(dataTypes, number);
  if (type === undefined)
    throw new SpacktainersError("ARCHIVE_INVALID", `a data object is of the unknown type ${number}`, {
      place,
    });
  const field = (index: number): number => safe(bytes.readBigInt64LE(17 + 8 * index), place);
  const group = bytes.readUInt32LE(9);
  return {
    type,
    id: bytes.readUInt32LE(5),
    group: group & ~groupMask,
    link: linkOf(bytes.readUInt32LE(13)),
    offset: field(0),
    size: field(1),
    sizeWithPadding: field(2),
    created: field(3),
    modified: field(4),
    name: text(bytes, 73, nameSize),
    extra: Buffer.from(bytes.subarray(73 + nameSize)),
  };
}

/**
 * The part of a descriptor that signatures cover: not where its data are, nor when it was changed.
 *
 * @param bytes the descriptor as it is in the file
 * @param relativeId its number, counted from the first of its group, which is 0
 */
export function signedDescriptorBytes(bytes: Buffer, relativeId: number): Buffer {
  const relative = Buffer.alloc(4);
  relative.writeUInt32LE(relativeId);
  return Buffer.concat([
    bytes.subarray(0, 5),
    relative,
    bytes.subarray(13, 17),
    bytes.subarray(25, 33),
    bytes.subarray(41, 49),
    bytes.subarray(57, 73),
    bytes.subarray(73),
  ]);
}

/** What a descriptor says of its partition; undefined if it is not one. */
export function partitionAttributes(descriptor: SifDescriptor): PartitionAttributes | undefined {
  if (descriptor.type !== "partition") return undefined;
  return {
    fileSystem: keyOf(fileSystems, descriptor.extra.readInt32LE(0)) ?? "unknown",
    use: keyOf(partitionTypes, descriptor.extra.readInt32LE(4)) ?? "unknown",
    architecture: architectureOf(text(descriptor.extra, 8, 3)),
  };
}

/** The type-dependent bytes of a partition's descriptor. */
export function partitionExtra(fileSystem: FileSystem, use: PartitionType, architecture: string): Buffer {
  const extra = Buffer.alloc(extraSize);
  extra.writeInt32LE(fileSystems[fileSystem], 0);
  extra.writeInt32LE(partitionTypes[use], 4);
  extra.write(architectureCodes[architecture] ?? "00", 8, "latin1");
  return extra;
}

/** What a descriptor says of its signature; undefined if it is not one. */
export function signatureAttributes(descriptor: SifDescriptor): SignatureAttributes | undefined {
  if (descriptor.type !== "signature") return undefined;
  const fingerprint = descriptor.extra.subarray(4, 24);
  return {
    hash: keyOf(hashTypes, descriptor.extra.readInt32LE(0)) ?? "unknown",
    fingerprint: fingerprint.every((byte) => byte === 0) ? "" : fingerprint.toString("hex").toUpperCase(),
  };
}

/** The type-dependent bytes of a signature's descriptor. @param fingerprint of the primary key, 20 bytes in hexadecimal */
export function signatureExtra(hash: HashType, fingerprint: string): Buffer {
  const extra = Buffer.alloc(extraSize);
  extra.writeInt32LE(hashTypes[hash], 0);
  Buffer.from(fingerprint, "hex").copy(extra, 4, 0, 20);
  return extra;
}

/** The type-dependent bytes of all other descriptors. */
export const noExtra: Buffer = Buffer.alloc(extraSize);

/** The 16 bytes of an ID as people write them. */
export function formatId(id: Buffer): string {
  const hex = id.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function architectureOf(code: string): string {
  return Object.entries(architectureCodes).find(([, digits]) => digits === code)?.[0] ?? "unknown";
}

function groupNumber(group: number): number {
  return group === 0 ? 0 : (group | groupMask) >>> 0;
}

function linkNumber(link: SifDescriptor["link"]): number {
  if (link === undefined) return 0;
  return "group" in link ? groupNumber(link.group) : link.object;
}

function linkOf(number: number): SifDescriptor["link"] {
  if (number === 0) return undefined;
  return (number & groupMask) !== 0 ? { group: number & ~groupMask } : { object: number };
}

function keyOf<K extends string>(numbers: Readonly<Record<K, number>>, wanted: number): K | undefined {
  return (Object.keys(numbers) as K[]).find((key) => numbers[key] === wanted);
}

function text(bytes: Buffer, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? length : end);
}

function safe(value: bigint, place: Place): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER))
    throw new SpacktainersError("ARCHIVE_INVALID", "the SIF file has a number that is out of range", {
      place,
    });
  return Number(value);
}
