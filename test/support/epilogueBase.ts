/** A small image to carry Dockerfiles out on: programs of this machine, users, folders with modes and owners of their own. */
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { decompressStream } from "../../src/archive/decompress.ts";
import type { Entry } from "../../src/archive/entry.ts";
import { mediaTypes } from "../../src/archive/oci/types.ts";
import { readTar } from "../../src/archive/readTar.ts";
import { collectInventory } from "../../src/base/collectInventory.ts";
import type { ImageSettings } from "../../src/dockerfile/imageSettings.ts";
import type { LayerSource } from "../../src/run/ownedLayers.ts";
import { type Digest, digestOf } from "../../src/util/digest.ts";
import { FileTree } from "../../src/view/fileTree.ts";
import { directory, file, hostPrograms, symlink, writeTestLayout } from "./hostImage.ts";

const programs = [
  "sh",
  "cat",
  "chmod",
  "chown",
  "echo",
  "id",
  "ln",
  "ls",
  "mkdir",
  "mv",
  "rm",
  "rmdir",
  "touch",
  "env",
  "pwd",
];

const owned = (entry: Entry, uid: number, gid: number): Entry => ({ ...entry, uid, gid });

/** What the image is: its settings as an OCI configuration has them. */
export const baseConfig = {
  Env: ["PATH=/usr/local/bin:/usr/bin:/bin", "GREETING=hello world"],
  Entrypoint: ["/bin/sh", "-c", "$*", "--"],
  Cmd: ["/bin/sh"],
  Labels: { first: "1" },
};

/** The same settings as epilogues start from. */
export const baseSettings: ImageSettings = {
  env: new Map(baseConfig.Env.map((line) => [line.split("=")[0] ?? "", line.slice(line.indexOf("=") + 1)])),
  entrypoint: baseConfig.Entrypoint,
  command: baseConfig.Cmd,
  labels: new Map(Object.entries(baseConfig.Labels)),
  user: undefined,
  workingDirectory: undefined,
  exposedPorts: new Set(),
  volumes: new Set(),
  stopSignal: undefined,
  author: undefined,
};

/** Writes the image as an OCI layout. @returns what epilogues need of it */
export async function makeEpilogueBase(
  layout: string,
): Promise<{ readonly layers: readonly LayerSource[]; tree(): Promise<FileTree> }> {
  const replaced = new Set(["etc/passwd", "etc/group"]);
  await writeTestLayout(layout, {
    layers: [
      [
        ...hostPrograms(programs).filter(({ path }) => !replaced.has(path)),
        file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nada:x:1000:100:Ada:/home/ada:/bin/sh\n"),
        file("etc/group", "root:x:0:\nusers:x:100:\nstaff:x:50:\n"),
        file("etc/motd", "welcome\n"),
        directory("home"),
        owned(directory("home/ada", 0o750), 1000, 100),
        owned(file("home/ada/notes", "n\n", 0o600), 1000, 100),
        directory("opt"),
        directory("opt/tool"),
        file("opt/tool/run", "#!/bin/sh\necho tool\n", 0o755),
        file("opt/tool/old", "old\n"),
        directory("opt/tool/data"),
        file("opt/tool/data/a", "a\n"),
        symlink("opt/current", "tool"),
        symlink("opt/nowhere", "/missing/place"),
        owned(directory("srv", 0o2775), 0, 50),
        directory("dev"),
        directory("proc"),
        directory("sys"),
      ],
    ],
    config: baseConfig,
  });
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  const read = (digest: string) => readFileSync(join(layout, "blobs/sha256", digest.slice("sha256:".length)));
  const manifest = JSON.parse(read(index.manifests[0].digest).toString("utf8"));
  const config = JSON.parse(read(manifest.config.digest).toString("utf8"));
  const layers = manifest.layers.map(({ digest }: { digest: string }, at: number): LayerSource => {
    const path = join(layout, "blobs/sha256", digest.slice("sha256:".length));
    return {
      diffId: config.rootfs.diff_ids[at] as Digest,
      blob: () =>
        Promise.resolve({
          path,
          bytes: () => createReadStream(path),
          digest: digest as Digest,
          size: readFileSync(path).length,
          mediaType: mediaTypes.layer,
        }),
      entries: () => readTar(decompressStream(createReadStream(path)), { where: { file: path } }),
    };
  });
  return {
    layers,
    async tree() {
      const tree = new FileTree([]);
      for (const layer of layers) {
        const collected = collectInventory(layer.entries());
        for await (const _ of collected.entries);
        tree.add(collected.inventory());
      }
      return tree;
    },
  };
}

/** A file of a root file system, for comparing. */
export interface SeenFile {
  readonly type: string;
  readonly mode: string;
  readonly owner: string;
  /** Of files: a digest of the content; of links: where they lead. */
  readonly content: string;
}

/** What layers together show, by path. */
export async function seenFiles(layers: readonly LayerSource[]): Promise<ReadonlyMap<string, SeenFile>> {
  const seen = new Map<string, SeenFile>();
  const below = (path: string) => [...seen.keys()].filter((other) => other.startsWith(`${path}/`));
  for (const layer of layers) {
    const own = new Set<string>();
    for await (const entry of layer.entries()) {
      const name = entry.path.slice(entry.path.lastIndexOf("/") + 1);
      const parent = entry.path.slice(0, Math.max(0, entry.path.lastIndexOf("/")));
      if (name === ".wh..wh..opq") for (const path of below(parent)) own.has(path) || seen.delete(path);
      else if (name.startsWith(".wh.")) {
        const gone = parent === "" ? name.slice(4) : `${parent}/${name.slice(4)}`;
        for (const path of [gone, ...below(gone)]) if (!own.has(path)) seen.delete(path);
      } else {
        if (entry.type !== "directory") for (const path of below(entry.path)) seen.delete(path);
        const hard = entry.type === "hardlink" ? seen.get(entry.target) : undefined;
        let content = "";
        if (entry.type === "symlink") content = entry.target;
        if (entry.type === "file") {
          const chunks = [];
          for await (const chunk of entry.content) chunks.push(Buffer.from(chunk));
          content = digestOf(Buffer.concat(chunks));
        }
        own.add(entry.path);
        seen.set(
          entry.path,
          hard ?? {
            type: entry.type,
            mode: entry.type === "symlink" ? "" : entry.mode.toString(8),
            owner: `${entry.uid}:${entry.gid}`,
            content,
          },
        );
      }
    }
  }
  return new Map([...seen].sort(([a], [b]) => (a < b ? -1 : 1)));
}
