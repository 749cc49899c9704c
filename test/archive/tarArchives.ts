import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll } from "vitest";
import type { Entry } from "../../src/archive/entry.ts";
import { bytesOfName } from "../../src/archive/names.ts";
import { type ReadTarOptions, readTar } from "../../src/archive/readTar.ts";
import { formatHeader } from "../../src/archive/tarHeader.ts";
import { writeTar } from "../../src/archive/writeTar.ts";
import { collect, entriesOf, pieces, readAll } from "./streams.ts";

export const where = { file: "test.tar" };

export const scratch = mkdtempSync(join(tmpdir(), "spacktainers-tar-"));

afterAll(() => rmSync(scratch, { recursive: true }));

export function write(entries: Iterable<Entry>, trailer = true): Promise<Buffer> {
  return collect(writeTar(entriesOf(entries), { trailer }));
}

export function read(
  bytes: Uint8Array,
  options: Partial<ReadTarOptions> = {},
  sizes: number[] = [64 * 1024],
) {
  return readAll(readTar(pieces(bytes, ...sizes), { where, ...options }));
}

/** A header block made by hand, with the content after it. */
export function block(
  fields: Partial<Parameters<typeof formatHeader>[0]> & { raw?: [number, Uint8Array] },
  content = "",
): Buffer {
  const header = Buffer.alloc(512);
  const bytes = Buffer.from(content, "latin1");
  const { raw, ...rest } = fields;
  const plain = { name: Buffer.from("f"), mode: 0o644, uid: 0, gid: 0, mtime: 0, type: "0" };
  formatHeader({ ...plain, size: bytes.length, ...rest }, header);
  if (raw !== undefined) {
    header.set(raw[1], raw[0]);
    header.fill(0x20, 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  }
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

export const end = Buffer.alloc(1024);

export const component = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 40 }),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 }),
    fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    fc
      .uint8Array({ minLength: 1, maxLength: 20, min: 0x80 })
      .map((bytes) => [...bytes].map((byte) => String.fromCharCode(0xdc00 + byte)).join("")),
    fc.constant("x".repeat(99)),
    fc.constant("y".repeat(100)),
    fc.constant("z".repeat(156)),
  )
  .map((name) => name.replaceAll(/[/\0]/g, "_"))
  // Bytes that happen to be UTF-8 when put together read back as the text they are.
  .map((name) => (/[\ud800-\udfff]/u.test(name) ? `${[...name].join("-")}` : name))
  .filter((name) => name !== "." && name !== ".." && isName(name));

export function isName(name: string): boolean {
  try {
    return bytesOfName(name).length > 0;
  } catch {
    return false;
  }
}

export const path = fc.array(component, { minLength: 1, maxLength: 8 }).map((parts) => parts.join("/"));

export const base = fc.record({
  path,
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 32 })),
  gid: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 32 })),
  mtime: fc.oneof(fc.integer({ min: 0, max: 2 ** 33 }), fc.integer({ min: -(2 ** 33), max: 2 ** 40 })),
});

export const size = fc.oneof(
  fc.integer({ min: 0, max: 2000 }),
  fc.constantFrom(0, 1, 511, 512, 513, 32_767, 32_768, 131_071, 131_072, 400_000),
);

export const entry: fc.Arbitrary<{ facts: Entry; bytes: Buffer | undefined }> = fc.oneof(
  fc.tuple(base, size, fc.integer({ min: 0, max: 255 })).map(([facts, length, fill]) => {
    const bytes = Buffer.alloc(length, fill);
    return {
      facts: { type: "file" as const, ...facts, size: length, content: pieces(bytes, 60_000) },
      bytes,
    };
  }),
  base.map((facts) => ({ facts: { type: "directory" as const, ...facts }, bytes: undefined })),
  fc.tuple(base, path).map(([facts, target]) => ({
    facts: { type: "symlink" as const, ...facts, target: `../${target}` },
    bytes: undefined,
  })),
  fc.tuple(base, path).map(([facts, target]) => ({
    facts: { type: "hardlink" as const, ...facts, target },
    bytes: undefined,
  })),
);
