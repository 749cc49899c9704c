/** Small Debian packages and archives for tests. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { contentOf } from "../../src/archive/content.ts";
import type { Entry, EntryStream } from "../../src/archive/entry.ts";
import { writeTar } from "../../src/archive/writeTar.ts";

const owner = { uid: 0, gid: 0, mtime: 1_700_000_000 } as const;

export function file(path: string, content: string, mode = 0o644): Entry {
  const bytes = Buffer.from(content, "utf8");
  return { type: "file", path, mode, ...owner, size: bytes.length, content: contentOf(bytes) };
}

export function directory(path: string, mode = 0o755): Entry {
  return { type: "directory", path, mode, ...owner };
}

export function symlink(path: string, target: string): Entry {
  return { type: "symlink", path, mode: 0o777, ...owner, target };
}

export function hardlink(path: string, target: string): Entry {
  return { type: "hardlink", path, mode: 0o644, ...owner, target };
}

export async function* stream(entries: readonly Entry[]): EntryStream {
  yield* entries;
}

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

export function tar(entries: readonly Entry[]): Promise<Buffer> {
  return collect(writeTar(stream(entries), { trailer: true }));
}

/** An `ar` archive of these members. */
export function ar(members: readonly (readonly [name: string, content: Uint8Array])[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from("!<arch>\n")];
  for (const [name, content] of members) {
    const header = `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${String(content.length).padEnd(10)}\`\n`;
    parts.push(Buffer.from(header, "latin1"), content);
    if (content.length % 2 === 1) parts.push(Buffer.from("\n"));
  }
  return Buffer.concat(parts);
}

export interface DebParts {
  readonly name: string;
  readonly version?: string;
  readonly architecture?: string;
  /** Further fields of the control file. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly entries?: readonly Entry[];
  readonly conffiles?: readonly string[];
  readonly md5sums?: string;
  /** Maintainer scripts. */
  readonly preinst?: string;
  readonly postinst?: string;
}

export function controlText(parts: DebParts): string {
  const fields = {
    Package: parts.name,
    Version: parts.version ?? "1.0-1",
    Architecture: parts.architecture ?? "amd64",
    Maintainer: "Nobody <nobody@example.org>",
    ...parts.fields,
    Description: "a package for tests\n of several lines",
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join("");
}

/** The bytes of a `.deb`. */
export async function makeDeb(parts: DebParts): Promise<Buffer> {
  const control = [file("control", controlText(parts))];
  if (parts.md5sums !== undefined) control.push(file("md5sums", parts.md5sums));
  for (const name of ["preinst", "postinst"] as const) {
    const script = parts[name];
    if (script !== undefined) control.push(file(name, script, 0o755));
  }
  if (parts.conffiles !== undefined)
    control.push(file("conffiles", parts.conffiles.map((path) => `${path}\n`).join("")));
  return ar([
    ["debian-binary", Buffer.from("2.0\n")],
    ["control.tar.gz", gzipSync(await tar(control))],
    ["data.tar.gz", gzipSync(await tar(parts.entries ?? []))],
  ]);
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The paragraph of a package in a `Packages` index. */
export function packagesParagraph(parts: DebParts, deb: Uint8Array): string {
  const version = (parts.version ?? "1.0-1").replace(":", "%3a");
  return [
    controlText(parts),
    `Filename: pool/${parts.name}_${version}_${parts.architecture ?? "amd64"}.deb\n`,
    `Size: ${deb.length}\n`,
    `SHA256: ${sha256(deb)}\n`,
  ].join("");
}
