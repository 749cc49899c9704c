/** One cache that built packages are pushed to. */
import { openBuildCache } from "../../buildcache/buildCache.ts";
import { expectTrustedSigner, openCacheWriter } from "../../buildcache/formats/openWriter.ts";
import type { CacheWriter, NewPackage, PutPackageOptions } from "../../buildcache/formats/writer.ts";
import { readSpecDocument } from "../../buildcache/specDocument.ts";
import type { CacheSource } from "../../buildcache/types.ts";
import type { CacheConfiguration, Configuration } from "../../definitions/configuration.ts";
import type { Signer } from "../../openpgp/signer.ts";
import { openSigningKey } from "../../openpgp/signingKey.ts";
import { developedPackages } from "../../spec/developedPackages.ts";
import { asSpacktainersError, SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, ignoreEvents } from "../../util/events.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { once } from "../../util/once.ts";
import { hostEnvironment } from "../../util/surroundings.ts";
import { configuredSource } from "../workspace/workspace.ts";
import { openUnlisted, type UnlistedPackage } from "./unlisted.ts";

/** With what to publish. */
export interface PublishTools {
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
  /** Variables of the environment; default those of the process. */
  readonly env?: NodeJS.ProcessEnv;
}

/** A cache that packages go to. */
export interface CacheTargetWriter {
  /**
   * Refuses a key that the readers of the cache do not trust; warns of a cache that cannot be opened or written to.
   *
   * @throws SpacktainersError KEY_UNKNOWN
   */
  prepare(): Promise<void>;
  /**
   * Puts a package that is in the build cache of this machine in `folder`. Of one that is there already the copy stays, unless it was
   * built from a folder of `develop:`: then there may be another content under the same hash.
   */
  put(content: NewPackage, folder: string): Promise<void>;
  /**
   * Puts what earlier runs could not, lists what was put, publishes the key that signed it, and closes the cache.
   *
   * @param read a package of the build cache of this machine in `folder`; undefined when it is not there any more
   */
  finish(read: (specFile: string, folder: string) => Promise<NewPackage | undefined>): Promise<void>;
}

/**
 * Opens a cache to push to. Nothing is done before the first package comes.
 *
 * @returns errors of it name the cache, and say that the packages are kept
 */
export function openPublishTarget(
  cache: CacheConfiguration,
  registries: Configuration["registries"],
  { emit, signal, env = hostEnvironment() }: PublishTools,
): CacheTargetWriter {
  interface Opened {
    readonly writer: CacheWriter;
    readonly signer: Signer | undefined;
    readonly source: CacheSource;
  }
  const unlisted = openUnlisted(`${cache.url} ${cache.s3.endpoint ?? ""}`);
  /** Records of this run: of packages that are there, and of those that could not be put. */
  const own = new Set<string>();
  const failed = new Set<string>();
  let opened: Promise<Opened> | undefined;
  /** Whether it was refused before anything was built. */
  let isRefused = false;
  const open = once(async (): Promise<Opened> => {
    const signer = cache.sign === undefined ? undefined : await openSigningKey(cache.sign, { env, signal });
    const source = await configuredSource(cache, registries);
    const writer = openCacheWriter(source, { signer, layout: cache.layout }, { emit, signal });
    return { writer, signer, source };
  });
  const use = (): Promise<Opened> => {
    opened = open();
    return opened;
  };
  /** What is in the cache: a run that was killed may not have got that far, and one that is under way may not have yet. */
  const thoseThere = async (
    records: readonly UnlistedPackage[],
    source: CacheSource,
  ): Promise<readonly UnlistedPackage[]> => {
    const others = records.filter(({ record }) => !own.has(record));
    if (others.length === 0) return records;
    const reader = openBuildCache(
      { ...source, mayBeEmpty: true },
      { emit: ignoreEvents, signal, refresh: true },
    );
    try {
      const there = await mapConcurrently(records, 8, async ({ record, specFile }) => {
        if (own.has(record)) return true;
        const { root, graph } = readSpecDocument(specFile, { file: record });
        // Under its hash there may be an earlier build.
        if (developedPackages(graph).has(root.hash)) return false;
        return (
          (await reader.findPackage(root, (hash) => graph.get(hash)).catch(() => undefined)) !== undefined
        );
      });
      return records.filter((_, at) => there[at] === true);
    } finally {
      await reader.close();
    }
  };
  /** Puts what is not there. What this machine does not have any more is forgotten: it would have to be built again. */
  const putLate = async (
    records: readonly UnlistedPackage[],
    writer: CacheWriter,
    read: Parameters<CacheTargetWriter["finish"]>[0],
  ): Promise<readonly UnlistedPackage[]> => {
    const done: UnlistedPackage[] = [];
    for (const one of records) {
      const content = await read(one.specFile, one.folder);
      if (content === undefined) await unlisted.done([one]);
      else {
        await writer.put(content, optionsFor(content));
        done.push(one);
      }
    }
    return done;
  };
  const named = (thrown: unknown, what: string, hint: string): SpacktainersError => {
    const { code, message, place, hint: given } = asSpacktainersError(thrown, { url: cache.url });
    const advice = given === undefined ? hint : `${given}; ${hint}`;
    return new SpacktainersError(code, `${what} ${cache.url}: ${message}`, {
      place,
      hint: advice,
      cause: thrown,
    });
  };

  return {
    async prepare() {
      try {
        const { writer, signer, source } = await use();
        if (signer !== undefined) await expectTrustedSigner(source, signer);
        await writer.expectWritable();
      } catch (thrown) {
        // The other caches can still get the packages, and the next run may have this key. `put` reports the error.
        if (!(thrown instanceof SpacktainersError) || thrown.code !== "KEY_UNKNOWN") {
          opened = undefined;
          stopIfAborted(signal);
          const { code, message, place, hint } = named(
            thrown,
            "what is built cannot be pushed to",
            "it stays in this machine's build cache, and a later run pushes it",
          );
          emit({ type: "warning", code, message, ...(place === undefined ? {} : { place }), hint });
          return;
        }
        isRefused = true;
        throw named(
          thrown,
          "nothing is built, because it could not be pushed to",
          "to build without pushing, remove `push: true` from the cache",
        );
      }
    },
    async put(content, folder) {
      // Whoever is killed, or fails, has left word for the next run.
      const record = await unlisted.add(content, folder);
      try {
        const { writer } = await use();
        await writer.put(content, optionsFor(content));
        own.add(record);
      } catch (thrown) {
        failed.add(record);
        throw named(
          thrown,
          "it was not pushed to",
          "it stays in this machine's build cache, and the next run pushes it",
        );
      }
    },
    async finish(read) {
      const all = signal.aborted ? [] : await unlisted.all();
      const records = all.filter(({ record }) => !failed.has(record));
      if (opened === undefined && records.length === 0) return;
      const told = isRefused || failed.size > 0;
      const parts = await use().catch((thrown: unknown) => {
        // Whoever put a package was told.
        if (told) return undefined;
        throw named(thrown, "what earlier runs built was not pushed to", "the next run tries again");
      });
      if (parts === undefined) return;
      const { writer, signer, source } = parts;
      try {
        const there = await thoseThere(records, source);
        const late = records.filter((one) => !there.includes(one));
        const waiting = [...there, ...(await putLate(late, writer, read))];
        if (waiting.length === 0) return;
        const specFiles = waiting.map(({ specFile }) => specFile);
        await writer.updateIndex({ add: specFiles, remove: [] });
        await unlisted.done(waiting);
        if (signer !== undefined)
          await writer.putKey({ fingerprint: signer.fingerprint, armored: await signer.publicKey() });
      } catch (thrown) {
        throw named(
          thrown,
          "not all packages are in the index of",
          "the next run pushes and lists the missing packages; to list all packages of the cache: spacktainers cache index",
        );
      } finally {
        await writer.close();
      }
    },
  };
}

function optionsFor({ specFile }: NewPackage): PutPackageOptions {
  const { root, graph } = readSpecDocument(specFile, {});
  return { replace: developedPackages(graph).has(root.hash) };
}
