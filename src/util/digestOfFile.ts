import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { type Digest, digestOfHex } from "./digest.ts";

/**
 * SHA-256 of a file, reading the next piece while hashing one.
 *
 * @param onBytes receives the number of bytes read since the last call
 * @throws what reading the file throws
 */
export async function digestOfFile(
  path: string,
  onBytes: (bytes: number) => void = () => {},
): Promise<Digest> {
  const pieceBytes = 1 << 20;
  const file = await open(path, "r");
  try {
    const hash = createHash("sha256");
    let [current, other] = [Buffer.allocUnsafe(pieceBytes), Buffer.allocUnsafe(pieceBytes)];
    let position = 0;
    let { bytesRead } = await file.read(current, 0, pieceBytes, position);
    while (bytesRead > 0) {
      position += bytesRead;
      const next = file.read(other, 0, pieceBytes, position);
      hash.update(current.subarray(0, bytesRead));
      onBytes(bytesRead);
      [current, other] = [other, current];
      bytesRead = (await next).bytesRead;
    }
    return digestOfHex(hash.digest("hex"));
  } finally {
    await file.close();
  }
}
