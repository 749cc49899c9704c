/** An OCI image of a definition: the layers it starts from, and one of its own. */
import { createHash } from "node:crypto";
import { contentOf } from "../../archive/content.ts";
import type { Entry, EntryStream } from "../../archive/entry.ts";
import { type CompressionSettings, encodingOf } from "../../archive/layerCompression.ts";
import { layerMediaType } from "../../archive/oci/types.ts";
import { writeFragment } from "../../archive/writeFragment.ts";
import { inputsAnnotation } from "../../image/annotations.ts";
import { assembleImage } from "../../image/assembleImage.ts";
import { fileLayer } from "../../image/fileLayer.ts";
import { type FragmentStore, fragmentKey } from "../../image/fragmentStore.ts";
import type { Image, OciImage } from "../../image/image.ts";
import type { OciLayer } from "../../image/layer.ts";
import { storedLayer } from "../../image/storedLayer.ts";
import type { OutputNames } from "../../pipeline/workspace/outputs.ts";
import { containerRoot, type DefinitionAdditions } from "../../sif/containerRoot.ts";
import type { OwnEntry } from "../../sif/mergeLayers.ts";
import { ociStart } from "../../sif/ociStart.ts";
import { digestOfHex } from "../../util/digest.ts";

/** What {@link definitionImage} takes. */
export interface DefinitionImageRequest {
  readonly names: OutputNames & { readonly arch: "amd64" | "arm64" };
  /** What it starts from. */
  readonly source: Image;
  /** Of the definition; none for an image that is complete as it is. */
  readonly additions: DefinitionAdditions | undefined;
  /** Digest of everything that decides it, where that is known. */
  readonly inputs: string | undefined;
  /** Of the layers that are made. */
  readonly compression: CompressionSettings;
  readonly store: FragmentStore;
  readonly signal: AbortSignal;
}

/**
 * Makes an OCI image of what a definition starts from and what it adds.
 * @throws SpacktainersError as `containerRoot` and `assembleImage`
 */
export async function definitionImage(request: DefinitionImageRequest): Promise<OciImage> {
  const { names, source, additions, inputs, compression, store, signal } = request;
  const root = await containerRoot(source, additions, signal);
  const execution = (await source.config()).value.config ?? {};
  const start = ociStart(root, execution, {
    environment: additions?.sections.environment !== undefined || (additions?.sections.apps.length ?? 0) > 0,
    runscript: additions?.sections.runscript !== undefined,
    hasOwnScripts: source.hasOwnScripts,
  });
  const from = `${source.origin.bootstrap}${source.origin.from === "" ? "" : ` ${source.origin.from}`}`;
  const layers: OciLayer[] = [];
  for (const layer of await source.layers()) {
    signal.throwIfAborted();
    layers.push(await storedLayer(layer, store, { compression, createdBy: `from ${from}` }));
  }
  layers.push(await ownLayer([...root.own, ...start.entries], compression, store));
  const labels = {
    "org.opencontainers.image.title": names.name,
    "org.opencontainers.image.version": names.version,
    "org.opencontainers.image.base.name": from,
  };
  return assembleImage({
    architecture: names.arch,
    layers,
    created: root.created,
    env: environmentOf(execution.Env ?? []),
    entrypoint: start.entrypoint,
    command: start.command,
    labels: { ...execution.Labels, ...Object.fromEntries(additions?.sections.labels ?? []), ...labels },
    annotations: { ...labels, ...(inputs === undefined ? {} : { [inputsAnnotation]: inputs }) },
    user: execution.User,
    workingDirectory: execution.WorkingDir,
  });
}

function environmentOf(lines: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    lines.map((line) => {
      const equals = line.indexOf("=");
      return equals < 0 ? [line, ""] : [line.slice(0, equals), line.slice(equals + 1)];
    }),
  );
}

/** The definition's layer as a file in the store. */
async function ownLayer(
  entries: readonly OwnEntry[],
  compression: CompressionSettings,
  store: FragmentStore,
): Promise<OciLayer> {
  const sorted = [...new Map(entries.map((entry) => [entry.path, entry])).values()].sort((a, b) =>
    a.path < b.path ? -1 : 1,
  );
  const facts = [];
  for (const entry of sorted) facts.push(await factsOf(entry));
  const key = fragmentKey({
    definitionLayer: 1,
    compression: encodingOf(compression),
    entries: facts,
  });
  const stored = await store.make(key, async (path) => ({
    facts: await writeFragment(path, entryStream(sorted), { compression }),
    inventory: { entries: [] },
  }));
  const { path, digest, size, diffId } = stored;
  const mediaType = layerMediaType(compression.format);
  const described = {
    digest,
    size,
    diffId,
    mediaType,
    createdBy: "spacktainers: definition",
    annotations: undefined,
  };
  return fileLayer(described, { path, offset: 0, size }, { isOurs: true });
}

async function factsOf(entry: OwnEntry): Promise<object> {
  const { type, path, mode, mtime } = entry;
  if (entry.type === "symlink") return { type, path, mode, mtime, target: entry.target };
  if (entry.type === "directory") return { type, path, mode, mtime };
  const hash = createHash("sha256");
  for await (const chunk of open(entry.content)) hash.update(chunk);
  return { type, path, mode, mtime, digest: digestOfHex(hash.digest("hex")) };
}

async function* entryStream(entries: readonly OwnEntry[]): EntryStream {
  for (const entry of entries) {
    const base = { path: entry.path, mode: entry.mode, mtime: entry.mtime, uid: 0, gid: 0 };
    if (entry.type === "symlink") yield { type: "symlink", ...base, target: entry.target } satisfies Entry;
    else if (entry.type === "directory") yield { type: "directory", ...base } satisfies Entry;
    else {
      const size = entry.content instanceof Uint8Array ? entry.content.length : entry.content.size;
      yield { type: "file", ...base, size, content: open(entry.content) } satisfies Entry;
    }
  }
}

function open(content: Extract<OwnEntry, { type: "file" }>["content"]): AsyncIterable<Uint8Array> {
  return content instanceof Uint8Array ? contentOf(content) : content.open();
}
