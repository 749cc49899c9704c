import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Container } from "../../definitions/repository.ts";
import { inputsAnnotation, layerKeysAnnotation, layerPackagesAnnotation } from "../../image/annotations.ts";
import { isJsonObject, type Json, type JsonObject } from "../../util/json.ts";

/** An image in the output folder, as far as its own documents tell. */
export interface BuiltImage {
  /** The layout's directory. */
  readonly path: string;
  readonly digest: string;
  /** Bytes of all blobs the manifest names. */
  readonly size: number;
  readonly layers: number;
  readonly version: string | undefined;
  /** Digest of everything that decided its bytes (see `inputsAnnotation`). */
  readonly inputs: string | undefined;
}

/** Where a container's image is put when nothing else is asked for: an OCI layout. */
export function defaultOutput(outputFolder: string, container: Pick<Container, "name" | "arch">): string {
  return join(outputFolder, container.arch, container.name);
}

/** The image of a container in the output folder; undefined when there is none that can be read. */
export async function readBuiltImage(
  outputFolder: string,
  container: Pick<Container, "name" | "arch">,
): Promise<BuiltImage | undefined> {
  return readLayoutImage(defaultOutput(outputFolder, container));
}

/** A layer of packages in a built image. */
export interface BuiltLayer {
  /** Keys of its fragments, in order. */
  readonly keys: readonly string[];
  /** In the same order. */
  readonly packages: readonly { readonly name: string; readonly version: string; readonly hash: string }[];
}

/** The first image of an OCI layout; undefined when there is none that can be read. Blobs are not read. */
export async function readLayoutImage(path: string): Promise<BuiltImage | undefined> {
  const found = await readManifest(path);
  if (found === undefined) return undefined;
  const { digest, manifest } = found;
  const blobs = [manifest.config, ...objects(manifest.layers)].filter(isJsonObject);
  const annotations = isJsonObject(manifest.annotations) ? manifest.annotations : {};
  return {
    path,
    digest,
    size: blobs.reduce((sum, blob) => sum + (typeof blob.size === "number" ? blob.size : 0), 0),
    layers: objects(manifest.layers).length,
    version: text(annotations["org.opencontainers.image.version"]),
    inputs: text(annotations[inputsAnnotation]),
  };
}

/** The layers of packages of the first image of an OCI layout; undefined when there is none that can be read. */
export async function readBuiltLayers(path: string): Promise<readonly BuiltLayer[] | undefined> {
  const found = await readManifest(path);
  if (found === undefined) return undefined;
  return objects(found.manifest.layers).flatMap(({ annotations }) => {
    if (!isJsonObject(annotations)) return [];
    const keys = text(annotations[layerKeysAnnotation])?.split(" ") ?? [];
    const packages = (text(annotations[layerPackagesAnnotation])?.split(" ") ?? []).flatMap((one) => {
      const parts = /^([^@]+)@(.+)\/([^/]+)$/.exec(one);
      const [, name, version, hash] = parts ?? [];
      return name === undefined || version === undefined || hash === undefined
        ? []
        : [{ name, version, hash }];
    });
    return keys.length === 0 || keys.length !== packages.length ? [] : [{ keys, packages }];
  });
}

async function readManifest(
  path: string,
): Promise<{ readonly digest: string; readonly manifest: JsonObject } | undefined> {
  const index = await readJson(join(path, "index.json"));
  const digest = objects(index?.manifests)[0]?.digest;
  if (typeof digest !== "string" || !/^sha256:[0-9a-f]{64}$/.test(digest)) return undefined;
  const manifest = await readJson(join(path, "blobs", "sha256", digest.slice("sha256:".length)));
  return manifest === undefined ? undefined : { digest, manifest };
}

function text(value: Json | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

async function readJson(path: string): Promise<JsonObject | undefined> {
  try {
    const json: unknown = JSON.parse(await readFile(path, "utf8"));
    return isJsonObject(json) ? json : undefined;
  } catch {
    // Not there, not whole, not JSON: for us there is no image.
    return undefined;
  }
}

function objects(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter(isJsonObject) : [];
}
