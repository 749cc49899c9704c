import type { CatalogueLayer } from "../../catalogue/facts.ts";
import { layerKeysAnnotation } from "../../image/annotations.ts";
import type { OciImage } from "../../image/image.ts";
import { describeLayers } from "../../pipeline/describe/describeImage.ts";
import type { ImageRecords } from "../rebase/imageRecords.ts";

/** What a file needs in a layer besides its content, in bytes: the header of tar. */
const headerBytes = 512;

/**
 * The layers of an image with the bytes of each package. Of a layer with several packages, the compressed bytes are shared by what
 * their files have uncompressed, as the record of the layer tells; where there is none, equally.
 */
export async function layerBytes(
  image: OciImage,
  records: Pick<ImageRecords, "contents">,
): Promise<readonly CatalogueLayer[]> {
  const described = await describeLayers(image);
  const annotations = image.manifest.value.layers.map((layer) => layer.annotations?.[layerKeysAnnotation]);
  const layers: CatalogueLayer[] = [];
  for (const [at, { digest, size, role, packages }] of described.entries()) {
    const weights = packages.length < 2 ? undefined : await weightsOf(annotations[at], records);
    const isKnown = packages.length < 2 || weights?.length === packages.length;
    const shares = shareBytes(size, isKnown && weights !== undefined ? weights : packages.map(() => 1));
    layers.push({
      digest,
      size,
      role,
      packages: packages.map((hash, index) => ({ hash, bytes: shares[index] ?? 0 })),
      estimated: !isKnown,
    });
  }
  return layers;
}

async function weightsOf(
  keys: string | undefined,
  records: Pick<ImageRecords, "contents">,
): Promise<readonly number[] | undefined> {
  if (keys === undefined) return undefined;
  const known = await records.contents(keys.split(" "));
  return known?.inventories.map(({ entries }) =>
    entries.reduce((sum, { size }) => sum + size + headerBytes, 0),
  );
}

/** Whole bytes in proportion to weights; together they are all. */
export function shareBytes(bytes: number, weights: readonly number[]): readonly number[] {
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  if (whole === 0) return weights.map(() => 0);
  let past = 0;
  let given = 0;
  return weights.map((weight) => {
    past += weight;
    const upTo = Math.round((bytes * past) / whole);
    const share = upTo - given;
    given = upTo;
    return share;
  });
}
