/** A helper thread: compresses one block after the other (see `compressionThreads.ts`). */
import { parentPort, workerData } from "node:worker_threads";
import { openBlockCompressor } from "./blockCompressor.ts";
import type { CompressionSettings } from "./layerCompression.ts";

const compressor = openBlockCompressor(workerData as CompressionSettings);

parentPort?.on("message", (block: Uint8Array) => {
  // A failure is thrown: it ends the thread, which is what the other side waits for.
  void compressor.then((compress) => {
    const packed = compress(block);
    parentPort?.postMessage(packed, isWhole(packed) ? [packed.buffer] : []);
  });
});

/** Whether nothing else is in the memory of these bytes, so that it can be handed over as it is. */
function isWhole(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength;
}
