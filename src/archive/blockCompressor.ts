import * as zlib from "node:zlib";
import { expectRoomForWebAssembly } from "../util/addressSpace.ts";
import { type CompressionSettings, zstdVersion } from "./layerCompression.ts";

/** Compresses a block to a gzip member or a zstd frame of its own. */
export type BlockCompressor = (block: Uint8Array) => Uint8Array;

/** Opens the encoder of a format. Libraries are loaded here, so that only what compresses has them. */
export async function openBlockCompressor({ format, level }: CompressionSettings): Promise<BlockCompressor> {
  if (format === "gzip") {
    expectRoomForWebAssembly();
    const { gzip } = await import("libdeflate");
    return (block) => gzip(block, level);
  }
  const native = nativeZstd(level);
  if (native !== undefined) return native;
  const { compress } = await startWasmZstd();
  return (block) => compress(block, level);
}

type WasmZstd = typeof import("@bokuweb/zstd-wasm");

let wasmZstd: Promise<WasmZstd> | undefined;

/**
 * The reference library. Started once: `init` makes a new instance each time, under the feet of those that use the first.
 * @throws SpacktainersError OUT_OF_MEMORY where there is no room for it; the library itself would never be ready
 */
export function startWasmZstd(): Promise<WasmZstd> {
  wasmZstd ??= start();
  return wasmZstd;
}

async function start(): Promise<WasmZstd> {
  expectRoomForWebAssembly();
  const library = await import("@bokuweb/zstd-wasm");
  await library.init();
  return library;
}

/** What Node 22.15 and later have. */
interface ZstdFunctions {
  readonly zstdCompressSync?: (
    block: Uint8Array,
    options: { readonly chunkSize: number; readonly params: Readonly<Record<number, number>> },
  ) => Buffer;
  readonly constants: { readonly ZSTD_c_compressionLevel?: number };
}

/**
 * Node's own zstd, twice as fast, where it is the version that the other one is: then it gives the same bytes, provided
 * that there is room for all of them at once (else it works as if it did not know the length).
 */
function nativeZstd(level: number): BlockCompressor | undefined {
  if (process.versions.zstd !== zstdVersion) return undefined;
  const { zstdCompressSync, constants } = zlib as unknown as ZstdFunctions;
  if (zstdCompressSync === undefined || constants.ZSTD_c_compressionLevel === undefined) return undefined;
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  return (block) => zstdCompressSync(block, { params, chunkSize: block.length + (block.length >> 7) + 1024 });
}
