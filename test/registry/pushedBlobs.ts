import { randomBytes } from "node:crypto";
import { afterEach, beforeEach } from "vitest";
import { type BlobSource, bytesBlob } from "../../src/registry/blobSource.ts";
import { digestOf } from "../../src/util/digest.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fakeRegistry.ts";
import { type OpenedRepository, openRepository } from "./open.ts";

export const small = bytesBlob(randomBytes(100_000), "small");

/** Longer than what is sent in one PUT. */
export const bytes = randomBytes(9_000_000);

export const large = bytesBlob(bytes, "large");

export let registry: FakeRegistry;

export let opened: OpenedRepository;

beforeEach(async () => {
  registry = await startFakeRegistry();
  opened = openRepository(`${registry.host}/a/b`);
});

afterEach(async () => {
  await opened.close();
  await registry.close();
});

export const stored = (digest: string, repository = "a/b"): Buffer | undefined =>
  registry.blobs.get(repository)?.get(digest);

export const methods = (): string =>
  registry.requests.map(({ method, status: code }) => `${method} ${code}`).join(", ");

export const progress = (): number =>
  opened.events
    .flatMap((event) => (event.type === "task-progress" ? [event.bytes] : []))
    .reduce((a, b) => a + b, 0);

/** Bytes made as they are read, so that a long blob needs no long memory here. */
export function syntheticBlob(size: number): BlobSource {
  const piece = randomBytes(1_000_000);
  const parts = function* (offset: number): Generator<Buffer> {
    for (let at = offset; at < size; ) {
      const begin = at % piece.length;
      const part = piece.subarray(begin, Math.min(piece.length, begin + size - at));
      yield part;
      at += part.length;
    }
  };
  const digest = digestOf(Buffer.concat([...parts(0)]));
  return {
    digest,
    size,
    async *open(offset) {
      yield* parts(offset);
    },
  };
}

export async function collect(source: BlobSource | undefined): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source?.open(0) ?? []) chunks.push(chunk);
  return chunks;
}
