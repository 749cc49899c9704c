/**
 * What is in a published layer, kept beside it in the registry: with it a later build makes the view, the check and the
 * loader's cache of an image without the layer's bytes.
 *
 * A record is gzip-compressed JSON: the inventories of a layer's packages by their fragment keys, or a base. It comes back
 * from a registry, where anybody with the right to push may have written it: it is checked as any input is, and must belong
 * to the layer that it is asked for.
 */
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { z } from "zod";
import type { Inventory } from "../archive/inventory.ts";
import { inventorySchema } from "../archive/inventorySchema.ts";
import type { BaseRecord } from "../base/baseRecord.ts";
import { baseRecordSchema } from "../base/baseRecord.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";

/** Media type of a record. */
export const contentsMediaType = "application/vnd.spacktainers.layer-contents.v1+json+gzip";

/** Most bytes of a record, compressed and not. */
export const contentsLimits = { compressed: 64 * 2 ** 20, plain: 512 * 2 ** 20 } as const;

/** The packages of one layer, by fragment key, in the layer's order. */
export interface PackageContents {
  readonly kind: "packages";
  readonly fragments: readonly { readonly key: string; readonly inventory: Inventory }[];
}

/** A base, and what it was completed with. */
export interface BaseContents {
  readonly kind: "base";
  readonly base: BaseRecord;
}

export type LayerContents = PackageContents | BaseContents;

const schema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("packages"),
    fragments: z
      .array(z.strictObject({ key: z.string().regex(/^[0-9a-f]{64}$/), inventory: inventorySchema }))
      .max(10_000),
  }),
  z.strictObject({ kind: z.literal("base"), base: baseRecordSchema }),
]);

const deflate = promisify(gzip);
const inflate = promisify(gunzip);

/** A record as bytes. */
export async function encodeContents(contents: LayerContents): Promise<Buffer> {
  return deflate(JSON.stringify(contents), { level: 6 });
}

/**
 * Reads a record.
 * @throws SpacktainersError ARCHIVE_INVALID when it is damaged, too large or of another form
 */
export async function decodeContents(bytes: Uint8Array, place: Place): Promise<LayerContents> {
  const invalid = (cause: unknown): SpacktainersError =>
    new SpacktainersError("ARCHIVE_INVALID", "the record of a published layer's contents cannot be read", {
      place,
      cause,
    });
  let json: unknown;
  try {
    json = JSON.parse((await inflate(bytes, { maxOutputLength: contentsLimits.plain })).toString("utf8"));
  } catch (error) {
    throw invalid(error);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw invalid(parsed.error);
  return parsed.data;
}
