import { open } from "node:fs/promises";
import { madeByAnnotation } from "../image/annotations.ts";
import { SpacktainersError } from "../util/errors.ts";
import { isJsonObject } from "../util/json.ts";
import { openSif, readObject } from "./openSif.ts";
import { inspectionName } from "./sifDocuments.ts";
import { descriptorSize, encodeDescriptor, headerFields, noExtra } from "./sifFormat.ts";

/** Documents that spacktainers writes are small. */
const maxDocument = 8 * 2 ** 20;

/** Name of the object that marks a SIF file which another program made for us. */
const markName = "made-by-spacktainers.json";

/**
 * Adds a small document to a SIF file, so that a later run knows it for ours. It belongs to no group: signatures over the
 * others still hold.
 *
 * @throws {SpacktainersError} `ARCHIVE_INVALID` when the file has no free descriptor; as `openSif`
 */
export async function markSif(path: string): Promise<void> {
  const sif = await openSif(path);
  const { header, objects } = sif;
  await sif.close();
  if (header.descriptorsFree < 1 || objects.length >= header.descriptorsTotal)
    throw new SpacktainersError("ARCHIVE_INVALID", "the SIF file has no free descriptor", {
      place: { file: path },
    });
  const file = await open(path, "r+");
  try {
    const { size: end } = await file.stat();
    const document = Buffer.from("{}");
    await file.write(document, 0, document.length, end);
    const table = Buffer.alloc(descriptorSize * header.descriptorsTotal);
    await file.read(table, 0, table.length, header.descriptorsOffset);
    let index = 0;
    while (index < header.descriptorsTotal && table[index * descriptorSize + 4] !== 0) index++;
    const descriptor = encodeDescriptor({
      type: "json",
      id: Math.max(0, ...objects.map(({ id }) => id)) + 1,
      group: 0,
      link: undefined,
      offset: end,
      size: document.length,
      sizeWithPadding: document.length,
      created: header.created,
      modified: header.modified,
      name: markName,
      extra: noExtra,
    });
    await file.write(descriptor, 0, descriptor.length, header.descriptorsOffset + index * descriptorSize);
    // All else in the header stays as it is, byte for byte: signatures cover it.
    const bytes = Buffer.from(sif.rawHeader);
    bytes.writeBigInt64LE(BigInt(header.descriptorsFree - 1), headerFields.descriptorsFree);
    bytes.writeBigInt64LE(BigInt(end + document.length - header.dataOffset), headerFields.dataSize);
    await file.write(bytes, 0, bytes.length, 0);
  } finally {
    await file.close();
  }
}

/** An earlier SIF of spacktainers says so in the document that `apptainer inspect` reads. */
export async function isOurSif(path: string): Promise<boolean> {
  const sif = await openSif(path).catch(() => undefined);
  if (sif === undefined) return false;
  try {
    if (sif.objects.some(({ name }) => name === markName)) return true;
    const document = sif.objects.find(({ type, name }) => type === "json" && name === inspectionName);
    if (document === undefined) return false;
    const json: unknown = JSON.parse((await readObject(sif, document, maxDocument)).toString("utf8"));
    return isJsonObject(json) && typeof json[madeByAnnotation] === "string";
  } catch {
    return false;
  } finally {
    await sif.close();
  }
}
