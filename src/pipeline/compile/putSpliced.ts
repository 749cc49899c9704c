/** Spliced packages in this machine's build cache. Nothing is compiled for them: their archive is that of the package they are made of. */
import { openBuildCache } from "../../buildcache/buildCache.ts";
import { openCacheWriter } from "../../buildcache/formats/openWriter.ts";
import { readSpecDocument } from "../../buildcache/specDocument.ts";
import type { ConcreteSpec } from "../../spec/concrete.ts";
import { briefSpec } from "../../spec/concrete.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { ignoreEvents } from "../../util/events.ts";
import { isJsonObject } from "../../util/json.ts";
import { compactJson, jsonMembers } from "../../util/jsonText.ts";

/**
 * Puts a spliced package into the build cache that has the package it is made of, so that it is listed and found by its own hash. It
 * gets that package's archive: Spack, like us, installs a spliced package from there, and gives it its dependencies on the way.
 *
 * @param lockText of the lock that has it
 * @param folder of the build cache
 * @throws SpacktainersError LOCK_INVALID when the lock lacks something that it needs; NOT_FOUND when the cache lacks what it is made of
 */
export async function putSpliced(spec: ConcreteSpec, lockText: string, folder: string): Promise<void> {
  const place = { file: folder };
  const specFile = specFileOf(spec, lockText);
  const { graph } = readSpecDocument(specFile, place);
  const source = { url: folder, keys: [], unsigned: true };
  const cache = openBuildCache(source, { emit: ignoreEvents });
  const writer = openCacheWriter(source, { signer: undefined }, { emit: ignoreEvents });
  try {
    const origin = graph.get(spec.buildSpec?.hash ?? spec.hash);
    const found =
      origin === undefined ? undefined : await cache.findPackage(origin, (hash) => graph.get(hash));
    if (found === undefined)
      throw new SpacktainersError("NOT_FOUND", `what ${briefSpec(spec)} is made of is not in ${folder}`, {
        place,
      });
    const { archive } = await cache.contentOf(found);
    await writer.put({ specFile, specBlob: undefined, archive });
  } finally {
    await cache.close();
    await writer.close();
  }
}

/** The spec file of a package of a lock, its nodes word for word. */
function specFileOf(spec: ConcreteSpec, lockText: string): string {
  const texts = new Map(jsonMembers(new Map(jsonMembers(lockText)).get("concrete_specs") ?? "{}"));
  const hashes = new Set<string>([spec.hash]);
  const nodes: string[] = [];
  for (const hash of hashes) {
    const text = texts.get(hash);
    if (text === undefined)
      throw new SpacktainersError("LOCK_INVALID", `the lock lacks the package /${hash}`);
    nodes.push(compactJson(text));
    for (const needed of neededBy(JSON.parse(text))) hashes.add(needed);
  }
  const meta = `{"version":${spec.specfileVersion}}`;
  return `{"spec":{"_meta":${meta},"nodes":[${nodes.join(",")}]},"buildcache_layout_version":2}`;
}

/** Hashes of the dependencies of a node, and of the one that it is made of. */
function neededBy(node: unknown): readonly string[] {
  if (!isJsonObject(node)) return [];
  const { dependencies, build_spec: made } = node;
  return [...(Array.isArray(dependencies) ? dependencies : []), made].flatMap((one) =>
    isJsonObject(one) && typeof one.hash === "string" ? [one.hash] : [],
  );
}
