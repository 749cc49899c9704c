/** What differs between two images: layers, packages, files. */
import { createHash } from "node:crypto";
import type { Entry } from "../../archive/entry.ts";
import type { BasePackage } from "../../base/types.ts";
import { layerPackagesAnnotation } from "../../image/annotations.ts";
import type { OciImage } from "../../image/image.ts";
import type { Layer } from "../../image/layer.ts";
import { layerEntries } from "../../image/layerEntries.ts";
import { epilogueLayers } from "./readBuildRecord.ts";

/** A difference of two images. */
export interface Difference {
  readonly kind: "package" | "os-package" | "layer" | "file" | "configuration" | "tool";
  /** What differs: a package, a layer, a file, a key. */
  readonly subject: string;
  readonly message: string;
  /** Why it may be so; undefined if unknown. */
  readonly reason: string | undefined;
}

/** Files of a layer that are named. */
const mostFiles = 20;

/**
 * Compares two images that should be one.
 *
 * @param before as it is published
 * @param after as it was made again
 */
export async function compareImages(
  before: OciImage,
  after: OciImage,
  signal: AbortSignal,
): Promise<readonly Difference[]> {
  const differences: Difference[] = [];
  const [first, second] = [await before.layers(), await after.layers()];
  const bottom = first.findIndex((layer) => packagesOf(layer) !== undefined);
  const above = first.length - (epilogueLayers(before.manifest.value.annotations ?? {}) ?? 0);
  const another = "the epilogue here differs, or its commands had different results";
  for (let index = 0; index < Math.max(first.length, second.length); index++) {
    signal.throwIfAborted();
    const [one, other] = [first[index], second[index]];
    const subject = `layer ${index + 1}${index < above ? layerName(one ?? other, index < bottom) : ", of the epilogue"}`;
    if (one === undefined || other === undefined) {
      differences.push({
        kind: "layer",
        subject,
        message: one === undefined ? "is not in the published image" : "is only in the published image",
        reason:
          index < above
            ? "packages are grouped into layers differently: the number of layers or the version of this program differs"
            : another,
      });
      continue;
    }
    if (one.diffId === other.diffId && one.digest === other.digest) continue;
    if (one.diffId === other.diffId) {
      differences.push({
        kind: "layer",
        subject,
        message: "has the same files, compressed differently",
        reason: "the compression, or the version of the compressing program, differs",
      });
      continue;
    }
    differences.push({
      kind: "layer",
      subject,
      message: "has other contents",
      reason: index < above ? undefined : another,
    });
    differences.push(...(await compareLayers(one, other, signal)));
  }
  differences.push(...(await compareConfigurations(before, after)));
  return differences;
}

function packagesOf(
  layer: Layer & { readonly annotations?: Readonly<Record<string, string>> | undefined },
): string | undefined {
  return layer.annotations?.[layerPackagesAnnotation];
}

function layerName(layer: Parameters<typeof packagesOf>[0] | undefined, isBase: boolean): string {
  const packages = layer === undefined ? undefined : packagesOf(layer);
  if (packages !== undefined)
    return `, ${packages
      .split(" ")
      .map((text) => text.replace(/(\/.{7}).*$/, "$1"))
      .join(" ")}`;
  return isBase ? ", of the base" : ", with the view and the environment";
}

/** Compares the files of two layers. */
async function compareLayers(one: Layer, other: Layer, signal: AbortSignal): Promise<readonly Difference[]> {
  const [first, second] = [await statements(one, signal), await statements(other, signal)];
  const found: Difference[] = [];
  for (const path of [...new Set([...first.keys(), ...second.keys()])].sort()) {
    const [before, after] = [first.get(path), second.get(path)];
    if (before === after) continue;
    const message =
      before === undefined
        ? "is not in the published image"
        : after === undefined
          ? "is only in the published image"
          : `was ${before}, is ${after}`;
    found.push({ kind: "file", subject: `/${path}`, message, reason: undefined });
  }
  const more = found.length - mostFiles;
  if (more <= 0) return found;
  return [
    ...found.slice(0, mostFiles),
    { kind: "file", subject: `${more} more files`, message: "differ", reason: undefined },
  ];
}

/** What a layer says of each file, as text. */
async function statements(layer: Layer, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const said = new Map<string, string>();
  for await (const entry of layerEntries(layer, { signal })) said.set(entry.path, await statement(entry));
  return said;
}

async function statement(entry: Entry): Promise<string> {
  const mode = entry.mode.toString(8);
  const owner = `${entry.uid}:${entry.gid}`;
  switch (entry.type) {
    case "directory":
      return `a folder ${mode} ${owner}`;
    case "symlink":
    case "hardlink":
      return `a link to ${entry.target}`;
    case "file": {
      const hash = createHash("sha256");
      for await (const chunk of entry.content) hash.update(chunk);
      return `a file ${mode} ${owner} of ${entry.size} bytes, sha256 ${hash.digest("hex").slice(0, 12)}`;
    }
  }
}

/** Keys of both configurations and manifests whose values differ. */
async function compareConfigurations(before: OciImage, after: OciImage): Promise<readonly Difference[]> {
  const flat = async (image: OciImage): Promise<ReadonlyMap<string, string>> => {
    const { config = {}, ...rest } = (await image.config()).value;
    const {
      Labels: labels = {},
      Env: variables = [],
      ...settings
    } = config as {
      readonly Labels?: Readonly<Record<string, string>>;
      readonly Env?: readonly string[];
    };
    const { created, architecture, os } = rest;
    const entries: readonly (readonly [string, unknown])[] = [
      ...Object.entries({ created, architecture, os, ...settings }),
      ...variables.map((text) => {
        const [, name = text, value = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
        return [`variable ${name}`, value] as const;
      }),
      ...Object.entries(labels).map(([key, value]) => [`label ${key}`, value] as const),
      ...Object.entries(image.manifest.value.annotations ?? {}).map(
        ([key, value]) => [`annotation ${key}`, value] as const,
      ),
    ];
    return new Map(entries.map(([key, value]) => [key, JSON.stringify(value)]));
  };
  const [first, second] = [await flat(before), await flat(after)];
  return [...new Set([...first.keys(), ...second.keys()])].sort().flatMap((key): readonly Difference[] => {
    const [was, is] = [first.get(key), second.get(key)];
    if (was === is) return [];
    const message = `was ${was ?? "not there"}, is ${is ?? "not there"}`;
    return [{ kind: "configuration", subject: key, message: message.slice(0, 400), reason: undefined }];
  });
}

/** OS packages of one base that are not those of another. */
export function comparePackages(
  before: readonly BasePackage[],
  after: readonly BasePackage[],
): readonly Difference[] {
  const byName = (packages: readonly BasePackage[]) =>
    new Map(packages.map(({ name, version }) => [name, version]));
  const [first, second] = [byName(before), byName(after)];
  return [...new Set([...first.keys(), ...second.keys()])].sort().flatMap((name): readonly Difference[] => {
    const [was, is] = [first.get(name), second.get(name)];
    if (was === is) return [];
    return [
      {
        kind: "os-package",
        subject: name,
        message: `was ${was ?? "not there"}, is ${is ?? "not there"}`,
        reason: "the base is now a different one",
      },
    ];
  });
}
