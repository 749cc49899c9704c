/** A finished base without its layers' bytes, as plain JSON: what the local store and registries keep of it. */
import * as z from "zod";
import type { Inventory } from "../archive/inventory.ts";
import { inventorySchema } from "../archive/inventorySchema.ts";
import type { LayerDescriptor } from "../image/layer.ts";
import { type Digest, parseDigest } from "../util/digest.ts";
import { withoutUndefined } from "../util/withoutUndefined.ts";
import type { Base, BaseImageConfig, BaseLayer, BasePackage } from "./types.ts";

/** What is kept of a base's layer. */
export type BaseLayerRecord = Pick<BaseLayer, "digest" | "size" | "diffId" | "mediaType" | "inventory">;

/** Everything of a {@link Base} that its images show: not its key, where its layers are, or what is left undone. */
export interface BaseRecord {
  readonly layers: readonly BaseLayerRecord[];
  /** Absent when there is one layer: then it is that layer's. */
  readonly inventory?: Inventory;
  readonly packages: readonly BasePackage[];
  readonly libcVersion?: string | undefined;
  readonly config?: BaseImageConfig;
}

const text = z.string().max(4096);
const words = z.array(z.string().max(65_536)).max(10_000);
const size = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const digest = z.string().transform((value, context): Digest => {
  const parsed = parseDigest(value);
  if (parsed !== undefined) return parsed;
  context.addIssue("must be a digest");
  return z.NEVER;
});

const layer = z.strictObject({ digest, size, diffId: digest, mediaType: text, inventory: inventorySchema });

const osPackage = z.strictObject({
  name: text,
  version: text,
  architecture: text,
  digest: digest.optional(),
  size: size.optional(),
  filename: text.optional(),
  archive: z.enum(["main", "security"]).optional(),
  url: text.optional(),
  source: z.strictObject({ name: text, version: text }).optional(),
});

const config = z.strictObject({
  env: words,
  entrypoint: words.optional(),
  cmd: words.optional(),
  user: text.optional(),
  workingDir: text.optional(),
  labels: z.record(z.string(), z.string()),
});

/** Form of a {@link BaseRecord} in JSON that was not written here. */
export const baseRecordSchema: z.ZodType<BaseRecord> = z
  .strictObject({
    layers: z.array(layer).max(1000),
    inventory: inventorySchema.optional(),
    packages: z.array(osPackage).max(100_000),
    libcVersion: text.optional(),
    config: config.optional(),
  })
  .transform(({ config, packages, ...rest }): BaseRecord => {
    return {
      ...withoutUndefined(rest),
      packages: packages.map((one) => withoutUndefined(one)),
      ...(config === undefined ? {} : { config: withoutUndefined(config) }),
    };
  });

/** What is to be kept of a base. */
export function baseRecord({ layers, inventory, key: _, undone: __, ...rest }: Base): BaseRecord {
  return {
    ...rest,
    layers: layers.map(({ digest, size, diffId, mediaType, inventory }) => ({
      digest,
      size,
      diffId,
      mediaType,
      inventory,
    })),
    ...(layers.length === 1 && layers[0]?.inventory === inventory ? {} : { inventory }),
  };
}

/**
 * The base again.
 * @param layers those of the record, where they are
 */
export function baseOfRecord(
  { layers: recorded, inventory, ...rest }: BaseRecord,
  key: Digest,
  layers: readonly BaseLayer[],
): Base {
  return { ...rest, layers, inventory: inventory ?? recorded[0]?.inventory ?? { entries: [] }, key };
}

/** What documents say of a recorded layer. */
export function layerDescriptor({ digest, size, diffId, mediaType }: BaseLayerRecord): LayerDescriptor {
  return { digest, size, diffId, mediaType, createdBy: "", annotations: undefined };
}
