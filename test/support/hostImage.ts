import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { contentOf } from "../../src/archive/content.ts";
import type { Entry } from "../../src/archive/entry.ts";
import { writeTar } from "../../src/archive/writeTar.ts";

/** What an image built here says about itself. */
export interface LayoutParts {
  readonly layers: readonly (readonly Entry[])[];
  readonly config?: Record<string, unknown>;
  readonly architecture?: string;
  /** Layers end with blocks of zeros, as they should but not all do; default true. */
  readonly trailer?: boolean;
}

const owner = { uid: 0, gid: 0, mtime: 0 };

/** A directory entry. */
export function directory(path: string, mode = 0o755): Entry {
  return { type: "directory", path, mode, ...owner };
}

/** A file entry. */
export function file(path: string, content: string | Uint8Array, mode = 0o644): Entry {
  const bytes = Buffer.from(content);
  return { type: "file", path, mode, size: bytes.length, content: contentOf(bytes), ...owner };
}

/** A symbolic link entry. */
export function symlink(path: string, target: string): Entry {
  return { type: "symlink", path, mode: 0o777, target, ...owner };
}

/** Architecture of this machine, in the words of image configurations. */
export const hostArchitecture = process.arch === "x64" ? "amd64" : process.arch;

/** Writes an OCI image layout with one image; returns the directory. */
export async function writeTestLayout(target: string, parts: LayoutParts): Promise<string> {
  const blobs = join(target, "blobs", "sha256");
  mkdirSync(blobs, { recursive: true });
  const blob = (bytes: Buffer, mediaType: string) => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const layers = [];
  const diffIds = [];
  for (const entries of parts.layers) {
    const chunks = [];
    async function* stream() {
      yield* entries;
    }
    for await (const chunk of writeTar(stream(), { trailer: parts.trailer ?? true }))
      chunks.push(Buffer.from(chunk));
    const tar = Buffer.concat(chunks);
    diffIds.push(`sha256:${createHash("sha256").update(tar).digest("hex")}`);
    layers.push(blob(gzipSync(tar, { level: 1 }), "application/vnd.oci.image.layer.v1.tar+gzip"));
  }
  const platform = { architecture: parts.architecture ?? hostArchitecture, os: "linux" };
  const config = blob(
    Buffer.from(
      JSON.stringify({
        ...platform,
        config: parts.config ?? {},
        rootfs: { type: "layers", diff_ids: diffIds },
      }),
    ),
    "application/vnd.oci.image.config.v1+json",
  );
  const manifestType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = blob(
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers })),
    manifestType,
  );
  const index = { schemaVersion: 2, manifests: [{ ...manifest, platform }] };
  writeFileSync(join(target, "index.json"), JSON.stringify(index));
  writeFileSync(join(target, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  return target;
}

const programFolders = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/** A few programs of this machine with their libraries, and the files a root needs: enough to run tests in, offline. */
export function hostPrograms(names: readonly string[]): Entry[] {
  const entries = new Map<string, Entry>();
  const addFile = (path: string): void => {
    const real = realpathSync(path);
    entries.set(real.slice(1), file(real.slice(1), readFileSync(real), statSync(real).mode & 0o777));
    const link = join(realpathSync(dirname(path)), basename(path));
    if (link !== real) entries.set(link.slice(1), symlink(link.slice(1), real));
  };
  for (const name of names) {
    const program = programFolders.map((folder) => join(folder, name)).find((path) => existsSync(path));
    if (program === undefined) throw new Error(`this machine has no ${name}`);
    addFile(program);
    const listing = execFileSync("ldd", [realpathSync(program)], { encoding: "utf8" });
    for (const [, library = ""] of listing.matchAll(/(\/\S+) \(0x/g)) addFile(library);
  }
  const links = ["bin", "sbin", "lib", "lib64"].flatMap((name) => {
    try {
      return [symlink(name, readlinkSync(`/${name}`))];
    } catch {
      return [directory(name)];
    }
  });
  const top = new Set(links.filter((entry) => entry.type === "symlink").map((entry) => entry.path));
  const files = [...entries.values()].filter((entry) => !top.has(entry.path.split("/")[0] ?? ""));
  return [
    directory("etc"),
    file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n"),
    file("etc/group", "root:x:0:\n"),
    directory("root", 0o700),
    directory("tmp", 0o1777),
    directory("usr"),
    directory("usr/lib"),
    directory("usr/bin"),
    directory("usr/lib64"),
    ...links,
    ...files,
  ];
}
