import { compressBytes } from "./compressStream.ts";
import { compressionSettings } from "./layerCompression.ts";

/**
 * A document about layers as one line of JSON, compressed by gzip: the same bytes on every machine, for its digest is part of
 * images. Several of them one after the other are gzip again, with a line for each.
 */
export function gzipJsonLine(record: object): Promise<Uint8Array> {
  return compressBytes(Buffer.from(`${JSON.stringify(record)}\n`, "utf8"), compressionSettings("gzip", 1));
}
