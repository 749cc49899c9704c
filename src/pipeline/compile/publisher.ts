/** Bringing packages that were built from this machine's build cache to those that others read. */
import { type BuildCache, openBuildCache } from "../../buildcache/buildCache.ts";
import type { NewPackage } from "../../buildcache/formats/writer.ts";
import { readSpecDocument } from "../../buildcache/specDocument.ts";
import type { CacheConfiguration, Configuration } from "../../definitions/configuration.ts";
import { signingKeyVariable } from "../../openpgp/signingKey.ts";
import type { ConcreteSpec } from "../../spec/concrete.ts";
import { briefSpec } from "../../spec/concrete.ts";
import { errorsOf, oneError, SpacktainersError } from "../../util/errors.ts";
import { ignoreEvents } from "../../util/events.ts";
import { hostEnvironment } from "../../util/surroundings.ts";
import type { Publish } from "./builder.ts";
import { type CacheTargetWriter, openPublishTarget, type PublishTools } from "./cacheTargetWriter.ts";

/** Publishes into caches. */
export interface Publisher {
  readonly publish: Publish;
  /**
   * Publishes what earlier runs could not, brings the indexes up to date, also with what an earlier run did not get to list, and
   * closes the caches. To be called once, at the end, whatever happened before.
   *
   * @throws SpacktainersErrors what the caches throw, each named
   */
  finish(): Promise<void>;
}

/**
 * Publishes into the caches that the configuration says `push: true` of, signed as it says; undefined when there is none. A cache
 * that wants signatures and names no key, or one in a variable that is not set here, is left out with a warning: packages for it
 * stay on this machine.
 */
export function publisher(
  { caches, registries }: Pick<Configuration, "caches" | "registries">,
  tools: PublishTools,
): Publisher | undefined {
  const wanted = caches.filter((cache) => cache.push && hasKey(cache, tools));
  if (wanted.length === 0) return undefined;
  const targets = wanted.map((cache) => openPublishTarget(cache, registries, tools));
  const folders = new Map<string, BuildCache>();
  const built = (folder: string): BuildCache => {
    const known = folders.get(folder);
    if (known !== undefined) return known;
    // What is made here needs no signatures, and nobody wants to hear of it being read.
    const source = { url: folder, keys: [], unsigned: true };
    const opened = openBuildCache(source, { emit: ignoreEvents, signal: tools.signal });
    folders.set(folder, opened);
    return opened;
  };

  return {
    publish: {
      prepare: () => forAll(targets, (target) => target.prepare()),
      async put(spec, folder) {
        const contents = await builtContents(spec, built(folder));
        await forAll(targets, async (target) => {
          for (const content of contents) await target.put(content, folder);
        });
      },
    },
    async finish() {
      try {
        await forAll(targets, (target) =>
          target.finish(async (specFile, folder) => {
            const { root, graph } = readSpecDocument(specFile, { file: folder });
            const cache = built(folder);
            const found = await cache.findPackage(root, (hash) => graph.get(hash)).catch(() => undefined);
            return found === undefined ? undefined : cache.contentOf(found);
          }),
        );
      } finally {
        for (const cache of folders.values()) await cache.close();
      }
    },
  };
}

/**
 * Publishes while something is done, and lists what was published at the end.
 *
 * @throws what `work` throws, and what listing throws
 */
export async function withPublisher<T>(
  using: Publisher | undefined,
  work: (publish: Publish | undefined) => Promise<T>,
): Promise<T> {
  const errors: SpacktainersError[] = [];
  const result = await work(using?.publish).then(
    (value) => ({ value }),
    (thrown: unknown) => {
      errors.push(...errorsOf(thrown));
      return undefined;
    },
  );
  await using?.finish().catch((thrown: unknown) => errors.push(...errorsOf(thrown)));
  if (result === undefined || errors.length > 0) throw oneError(errors);
  return result.value;
}

function hasKey(
  { url, sign, unsigned, place }: CacheConfiguration,
  { emit, env = hostEnvironment() }: PublishTools,
): boolean {
  const kept = "it stays in this machine's build cache, and images are made from there";
  if (sign === undefined && !unsigned) {
    emit({
      type: "warning",
      code: "CONFIG_INVALID",
      message: `what is built is not pushed to ${url}: it has to be signed there, and no key is named`,
      place,
      hint: `${kept}; to push it, add \`sign:\` with the private key: a file, env://NAME or gpg://FINGERPRINT`,
    });
    return false;
  }
  const variable = sign === undefined ? undefined : signingKeyVariable(sign);
  if (variable === undefined || (env[variable] ?? "").trim() !== "") return true;
  emit({
    type: "warning",
    code: "KEY_INVALID",
    message: `what is built is not pushed to ${url}: the variable ${variable}, which has the key that signs, is not set`,
    place,
    hint: `${kept}; a run that has the key pushes it`,
  });
  return false;
}

/**
 * What a cache needs of a package: its own, and that of the package it was made of, where it is spliced: Spack installs it from
 * that one's archive.
 */
async function builtContents(spec: ConcreteSpec, cache: BuildCache): Promise<readonly NewPackage[]> {
  const own = await cache.findPackage(spec);
  if (own === undefined)
    throw new SpacktainersError("NOT_FOUND", `${briefSpec(spec)} is not in this machine's build cache`, {
      place: { file: cache.url },
    });
  const origin = spec.buildSpec === undefined ? undefined : own.graph.get(spec.buildSpec.hash);
  const other =
    origin === undefined ? undefined : await cache.findPackage(origin, (hash) => own.graph.get(hash));
  const packages = other === undefined ? [own] : [other, own];
  return Promise.all(packages.map((one) => cache.contentOf(one)));
}

/** Does something for all, each whatever became of the others. */
async function forAll(
  targets: readonly CacheTargetWriter[],
  work: (target: CacheTargetWriter) => Promise<void>,
): Promise<void> {
  const results = await Promise.allSettled(targets.map(work));
  const errors = results.flatMap((result) => (result.status === "rejected" ? errorsOf(result.reason) : []));
  if (errors.length > 0) throw oneError(errors);
}
