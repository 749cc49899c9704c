/** Runs commands by Buildah or Podman, where our own sandbox cannot be made. */
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decompressStream } from "../archive/decompress.ts";
import type { EntryStream } from "../archive/entry.ts";
import { parseImageManifest } from "../archive/oci/parse.ts";
import { mediaTypes } from "../archive/oci/types.ts";
import { readTar } from "../archive/readTar.ts";
import { digestOf, hexOfDigest, parseDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { isJsonObject } from "../util/json.ts";
import { findProgram, lastLine, runTool } from "../util/tool.ts";
import type { Command, CommandMount, CommandResult, CommandRunner } from "./commandRunner.ts";
import { missingPlaces } from "./missingPlaces.ts";
import { streamTool } from "./streamTool.ts";

/** Engines that are known here. */
export type BuildEngine = "buildah" | "podman";

/**
 * A runner by an engine.
 *
 * @returns undefined when the engine is not installed
 */
export async function engineRunner(
  engine: BuildEngine,
  signal: AbortSignal | undefined,
): Promise<CommandRunner | undefined> {
  if ((await findProgram(engine)) === undefined) return undefined;
  return { name: engine, run: (command) => runByEngine(engine, command, signal) };
}

async function runByEngine(
  engine: BuildEngine,
  command: Command,
  signal: AbortSignal | undefined,
): Promise<CommandResult> {
  const folder = await mkdtemp(join(tmpdir(), "spacktainers-"));
  const container = `spacktainers-${folder.slice(-6).toLowerCase()}-${process.pid}`;
  const images: string[] = [];
  const tool = async (...args: readonly string[]): Promise<string> => {
    const result = await runTool([engine, ...args], {
      cwd: folder,
      signal,
    });
    if (result.status === 0) return lastLine(result.stdout);
    if (signal?.aborted === true)
      throw new SpacktainersError("INTERRUPTED", "interrupted while running a command");
    throw new SpacktainersError(
      "PROCESS_FAILED",
      `${engine} ${args[0] ?? ""} failed: ${lastLine(result.stderr)}`,
    );
  };
  const close = async (): Promise<void> => {
    await runTool([engine, "rm", ...(engine === "podman" ? ["--force"] : []), container]);
    for (const image of images) await runTool([engine, "rmi", image]);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await writeLayout(join(folder, "image"), command);
    const options = [
      `--network=${command.network}`,
      ...(command.user === undefined ? [] : [`--user=${command.user}`]),
      ...command.mounts.flatMap(mountOptions),
    ];
    let status: number;
    if (engine === "buildah") {
      await tool("from", "--quiet", "--name", container, "oci:image");
      status = await streamTool(["buildah", "run", ...options, container, "--", ...command.argv], {
        onOutput: command.onOutput,
        signal,
      });
      await tool("commit", "--quiet", "--format", "oci", container, "oci:result");
    } else {
      const image = await tool("pull", "--quiet", "oci:image");
      images.push(image);
      const [program, ...args] = command.argv;
      status = await streamTool(
        [
          "podman",
          "run",
          `--name=${container}`,
          ...options,
          `--entrypoint=${JSON.stringify([program])}`,
          image,
          ...args,
        ],
        { onOutput: command.onOutput, signal },
      );
      const committed = await tool("commit", "--quiet", "--format", "oci", container);
      images.unshift(committed);
      await tool("save", "--quiet", "--format", "oci-dir", "--output", "result", committed);
    }
    return {
      status,
      users: "subordinate",
      changes: () => withoutTraces(topLayer(join(folder, "result")), command),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** As Docker's `-v` and `--tmpfs`; both engines take them. */
function mountOptions({ source, target, readOnly, size }: CommandMount): readonly string[] {
  if (source === undefined)
    return [`--mount=type=tmpfs,target=${target}${size === undefined ? "" : `,tmpfs-size=${size}`}`];
  // Engines cannot take names that contain colons or commas.
  if (/[:,]/.test(source + target))
    throw new SpacktainersError("NOT_SUPPORTED", `${source} has a name that cannot be mounted`, {
      hint: "names with : or , in them cannot",
    });
  return [`--volume=${source}:${target}:${readOnly ? "ro" : "rw"}`];
}

/** The image below as a layout: its variables are the command's, so that they are on no command line. */
async function writeLayout(directory: string, command: Command): Promise<void> {
  const blobs = join(directory, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const layers = [];
  for (const layer of command.layers) {
    const { path, digest, size, mediaType, bytes } = await layer.blob();
    const target = join(blobs, hexOfDigest(digest));
    if (path === undefined) await writeFile(target, bytes());
    else
      await symlink(path, target).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
      });
    layers.push({ mediaType, digest, size });
  }
  const document = async (value: unknown, mediaType: string) => {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = digestOf(bytes);
    await writeFile(join(blobs, hexOfDigest(digest)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const platform = { architecture: command.architecture, os: "linux" };
  const config = await document(
    {
      ...platform,
      config: {
        Env: [...command.env].map(([name, value]) => `${name}=${value}`),
        WorkingDir: command.workingDirectory,
      },
      rootfs: { type: "layers", diff_ids: command.layers.map(({ diffId }) => diffId) },
    },
    mediaTypes.config,
  );
  const manifest = await document(
    { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers },
    mediaTypes.manifest,
  );
  await writeFile(
    join(directory, "index.json"),
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [{ ...manifest, platform }] }),
  );
  await writeFile(join(directory, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

/** Files that engines mount their own over, in every container. */
const engineFiles =
  /^(?:etc\/(?:hosts|hostname|resolv\.conf|mtab)|run\/\.containerenv|run\/secrets(?:\/.*)?)$/;

/** What is left of what was mounted, and of what engines put into every root. */
async function* withoutTraces(entries: EntryStream, command: Command): EntryStream {
  const { directories, files } = missingPlaces(command, command.mounts);
  const made = new Set([...directories, ...files]);
  for await (const entry of entries) {
    const isEmpty = entry.type === "directory" || (entry.type === "file" && entry.size === 0);
    if (engineFiles.test(entry.path) && (isEmpty || entry.path === "etc/mtab")) continue;
    if (made.has(entry.path) && isEmpty) continue;
    yield entry;
  }
}

/** What an engine committed: the last layer of the image. */
async function* topLayer(layout: string): EntryStream {
  const blob = (digest: string): string => {
    const known = parseDigest(digest);
    if (known === undefined)
      throw new SpacktainersError("ARCHIVE_INVALID", "the engine's image has a wrong digest");
    return join(layout, "blobs", "sha256", hexOfDigest(known));
  };
  const index: unknown = JSON.parse(await readFile(join(layout, "index.json"), "utf8"));
  const [first] = isJsonObject(index) && Array.isArray(index.manifests) ? index.manifests : [];
  const digest = isJsonObject(first) && typeof first.digest === "string" ? first.digest : "";
  const file = blob(digest);
  const manifest = parseImageManifest(await readFile(file), { file });
  const layer = manifest.layers.at(-1);
  if (layer === undefined) return;
  const where = { file: blob(layer.digest) };
  yield* readTar(decompressStream(createReadStream(where.file), { where }), {
    where,
    xattrs: true,
    absolute: "relative",
  });
}
