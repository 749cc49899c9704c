import { open } from "node:fs/promises";
import { SpacktainersError } from "../util/errors.ts";
import { openSif } from "./openSif.ts";
import { descriptorSize, encodeDescriptor, headerFields, noExtra } from "./sifFormat.ts";

/** Name of the object that marks a SIF file which another program made for us. */
export const markName = "made-by-spacktainers.json";

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
