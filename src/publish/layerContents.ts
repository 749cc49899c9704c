/**
 * What is in a published layer, kept beside it in the registry: with it a later build makes the view, the check and the
 * loader's cache of an image without the layer's bytes.
 *
 * A record is gzip-compressed JSON, a line for each part of the layer: the inventories of its packages in the layer's order,
 * or one base. The image's manifest names the record's digest, so that what signs the image signs the record. Whoever
 * may push to the registry may have written what comes back from it, so it is checked like every input.
 */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type * as z from "zod";
import { gzipJsonLine } from "../archive/compressStream.ts";
import type { Inventory } from "../archive/inventory.ts";
import { inventorySchema } from "../archive/inventorySchema.ts";
import { type BaseRecord, baseRecordSchema } from "../base/baseRecord.ts";
import { type Digest, digestOf, parseDigest } from "../util/digest.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";

/** Media type of a record. */
export const contentsMediaType = "application/vnd.spacktainers.layer-contents.v1+json+gzip";

/** Most bytes of a record, compressed and not. */
export const contentsLimits = { compressed: 64 * 2 ** 20, plain: 512 * 2 ** 20 } as const;

/** A record's digest and size, as an annotation of its layer tells them. */
export interface ContentsId {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** A record as bytes. */
export interface LayerContents extends ContentsId {
  readonly bytes: Buffer;
}

const inflate = promisify(gunzip);

/** The record of a base. That of packages is made of what the fragment store has of each (`inventoryBytes`). */
export async function encodeBase(base: BaseRecord): Promise<LayerContents> {
  return contentsOf([await gzipJsonLine(base)]);
}

/** A record of finished parts, one after the other, which is gzip again (RFC 1952, 2.2). */
export function contentsOf(parts: readonly Uint8Array[]): LayerContents {
  const bytes = Buffer.concat(parts);
  return { bytes, digest: digestOf(bytes), size: bytes.length };
}

/** A record's digest and size as an annotation. */
export function formatContentsId({ digest, size }: ContentsId): string {
  return `${digest} ${size}`;
}

/** Reads an annotation; undefined when spacktainers did not write it, or when the record is too large. */
export function parseContentsId(text: string | undefined): ContentsId | undefined {
  const [, name, length] = /^(sha256:[0-9a-f]{64}) (\d{1,9})$/.exec(text ?? "") ?? [];
  const digest = name === undefined ? undefined : parseDigest(name);
  const size = Number(length);
  return digest === undefined || size > contentsLimits.compressed ? undefined : { digest, size };
}

/**
 * Reads the record of a layer of packages.
 * @param count of packages in the layer
 * @throws SpacktainersError ARCHIVE_INVALID when it is damaged, too large or of another form
 */
export async function decodeInventories(
  bytes: Uint8Array,
  count: number,
  place: Place,
): Promise<readonly Inventory[]> {
  return decode(bytes, count, inventorySchema, place);
}

/** Reads the record of a base. @throws SpacktainersError ARCHIVE_INVALID */
export async function decodeBase(bytes: Uint8Array, place: Place): Promise<BaseRecord> {
  const [base] = await decode(bytes, 1, baseRecordSchema, place);
  if (base === undefined) throw invalid(place, undefined);
  return base;
}

async function decode<T>(
  bytes: Uint8Array,
  count: number,
  schema: z.ZodType<T>,
  place: Place,
): Promise<readonly T[]> {
  try {
    const text = (await inflate(bytes, { maxOutputLength: contentsLimits.plain })).toString("utf8");
    const lines = text.split("\n");
    if (lines.pop() !== "" || lines.length !== count) throw new Error(`not ${count} lines`);
    return lines.map((line) => schema.parse(JSON.parse(line)));
  } catch (error) {
    throw invalid(place, error);
  }
}

function invalid(place: Place, cause: unknown): SpacktainersError {
  return new SpacktainersError(
    "ARCHIVE_INVALID",
    "the record of a published layer's contents cannot be read",
    {
      place,
      cause,
    },
  );
}
