/** Opens a build cache for writing. */
import { join } from "node:path";
import type { RetryPolicy } from "../../net/retry.ts";
import type { Signer } from "../../openpgp/signer.ts";
import { openTrustedKeys } from "../../openpgp/trustedKeys.ts";
import { expectUploads } from "../../registry/upload.ts";
import { briefSpec } from "../../spec/concrete.ts";
import { openStore } from "../../store/openStore.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import { systemClock } from "../../util/clock.ts";
import { digestOfFile } from "../../util/digestOfFile.ts";
import { asSpacktainersError, type Place, SpacktainersError } from "../../util/errors.ts";
import { runTask } from "../../util/events.ts";
import type { BuildCacheOptions } from "../buildCache.ts";
import { forgetMetadata, rememberedFolder } from "../metadataMemory.ts";
import { readSpecDocument } from "../specDocument.ts";
import type { CacheSource, FormatName } from "../types.ts";
import type { FormatEdit, FormatWriter, WriterTools } from "./formatWriter.ts";
import { requireUnsigned } from "./oci/ociFormat.ts";
import { openOciPlace } from "./oci/ociPlace.ts";
import { isOciUrl } from "./oci/ociUrl.ts";
import { openOciWriter } from "./oci/ociWriter.ts";
import { fitting } from "./storedPackages.ts";
import { openV2Writer } from "./v2/v2Writer.ts";
import { openV3Writer } from "./v3/v3Writer.ts";
import type { CacheWriter, IndexUpdate, NewPackage, StoredPackage } from "./writer.ts";

/** How to write. */
export interface WriterSettings {
  /** The key that signs; undefined: nothing is signed. */
  readonly signer: Signer | undefined;
  /** Everything in this layout; default: each package in that of its own generation of Spack. */
  readonly layout?: Exclude<FormatName, "oci"> | undefined;
}

/**
 * Opens a cache for writing. Nothing is asked of it yet; it need not be there.
 *
 * @param source its `keys`, where there are any, must name the key that signs; `unsigned` says that nothing needs to be signed
 * @throws SpacktainersError NOT_SUPPORTED for a place that can only be read; CACHE_UNAVAILABLE for an invalid URL;
 *   CONFIG_INVALID where a signature is needed and there is no key
 */
export function openCacheWriter(
  source: CacheSource,
  { signer, layout }: WriterSettings,
  options: Omit<BuildCacheOptions, "refresh">,
): CacheWriter {
  const { emit, signal, clock = systemClock } = options;
  const trust = { keys: openTrustedKeys(source.keys, { clock }), unsigned: source.unsigned };
  const { retries, retryDelayMs } = options;
  const cacheDir = options.cacheDir ?? cacheHome();
  const scratch = join(cacheDir, "writing");
  if (isOciUrl(source.url)) {
    const place = openOciPlace(source.url, source.registry, { emit, signal });
    const { url } = place;
    requireUnsigned(trust, url);
    const formats = [
      openOciWriter(place, { trust, sign: async (text) => text, scratch, clock, emit, signal }),
    ];
    const expectWritable = () => expectUploads(place.repository);
    const remembered = rememberedFolder(cacheDir, url);
    const common = { url, id: url, place: { url }, signer: undefined, formats, remembered };
    return composeWriter({ ...common, layout, expectWritable, emit, signal }, () => place.close());
  }
  const policy: RetryPolicy = { retries: 2, delayMs: retryDelayMs ?? 1000, emit, signal };
  const store = openStore(source, { emit, signal, retries, retryDelayMs });
  const here: Place = store.kind === "file" ? { file: store.url } : { url: store.url };
  if (store.writer === undefined)
    throw new SpacktainersError("NOT_SUPPORTED", "this build cache can only be read", {
      place: here,
      hint: "name it by the path, or the s3: URL, through which it can be written",
    });
  if (signer === undefined && !source.unsigned)
    throw new SpacktainersError(
      "CONFIG_INVALID",
      "packages that are written to this cache must be signed, but no key is configured",
      {
        place: here,
        hint: "add `sign:` to the cache, or `unsigned: true` if it has no signatures",
      },
    );
  const tools: WriterTools = {
    trust,
    sign: async (text) => {
      if (signer === undefined) return text;
      const signed = await signer.signText(text, Math.floor(clock() / 1000));
      // What its own readers would refuse must not get there.
      if (trust.keys.count > 0)
        await trust.keys.verifyText(signed, here).catch(explainUntrusted(signer, here));
      return signed;
    },
    scratch,
    clock,
    emit,
    signal,
  };
  const formats: readonly FormatWriter[] = [openV3Writer(store, tools, policy), openV2Writer(store, tools)];
  const { url, id, writer } = store;
  const expectWritable = () => writer.expectWritable();
  const common = { url, id, place: here, signer, formats, remembered: rememberedFolder(cacheDir, id) };
  return composeWriter({ ...common, layout, expectWritable, emit, signal }, () => store.close());
}

interface Parts extends Pick<BuildCacheOptions, "emit" | "signal"> {
  readonly url: string;
  readonly id: string;
  readonly place: Place;
  readonly signer: Signer | undefined;
  /** At least one. */
  readonly formats: readonly FormatWriter[];
  readonly layout: FormatName | undefined;
  /** Folder of what readers on this machine remember of it. */
  readonly remembered: string;
  readonly expectWritable: CacheWriter["expectWritable"];
}

function composeWriter(parts: Parts, close: () => Promise<void>): CacheWriter {
  const { url, id, place, signer, formats, layout, remembered, emit, signal } = parts;
  const named = (name: FormatName): FormatWriter => {
    const format = formats.find((one) => one.name === name);
    if (format === undefined)
      throw new SpacktainersError("NOT_SUPPORTED", `this cache has nothing in format ${name}`, { place });
    return format;
  };
  const formatFor = (version: number): FormatWriter =>
    formats.length === 1 ? named(formats[0]?.name ?? "v3") : named(layout ?? (version <= 4 ? "v2" : "v3"));
  const present = async (): Promise<readonly FormatWriter[]> => {
    const there: FormatWriter[] = [];
    for (const format of formats) if (await format.isPresent()) there.push(format);
    return there;
  };
  const read = (specFile: string) => {
    const document = readSpecDocument(specFile, place);
    const format = formatFor(document.version);
    return { format, document: fitting(document, format.name, place) };
  };

  return {
    url,
    id,
    signedBy: signer?.fingerprint,
    expectWritable: parts.expectWritable,
    async put(content, options = {}) {
      const { format, document } = read(content.specFile);
      const { root } = document;
      if (root.external !== undefined)
        throw new SpacktainersError(
          "NOT_SUPPORTED",
          `${briefSpec(root)} is external: there is no archive of it`,
          {
            place,
          },
        );
      await checkArchive(content);
      const { archive, specBlob } = content;
      const outcome = await format.put({ document, specBlob, archive }, options);
      if (options.replace === true) await forgetMetadata(remembered, root.hash);
      return { outcome, format: format.name };
    },
    async putKey({ fingerprint, armored }) {
      let outcome: "written" | "present" = "present";
      const there = await present();
      for (const format of there.length > 0 ? there : [formatFor(5)])
        if ((await format.putKey(fingerprint, armored)) === "written") outcome = "written";
      return outcome;
    },
    async removeKey(fingerprint) {
      for (const format of await present()) await format.removeKey(fingerprint);
    },
    async updateIndex({ add, remove }) {
      const edits = new Map<FormatWriter, FormatEdit>();
      const gone = new Set(remove);
      if (gone.size > 0) for (const format of await present()) edits.set(format, { add: [], remove: gone });
      for (const specFile of add) {
        const { format, document } = read(specFile);
        const edit = edits.get(format) ?? { add: [], remove: gone };
        edits.set(format, { ...edit, add: [...edit.add, document] });
      }
      return indexTask([...edits.keys()], (format) =>
        format.changeIndex(edits.get(format) ?? { add: [], remove: gone }),
      );
    },
    rebuildIndex: async () => indexTask(await present(), (format) => format.rebuildIndex()),
    async *list() {
      for (const format of await present()) yield* format.list();
    },
    describe: (stored) => named(stored.format).describe(stored),
    async remove(packages) {
      const byFormat = grouped(packages);
      let bytes = 0;
      for (const [name, group] of byFormat) {
        const hashes = new Set(group.map(({ hash }) => hash));
        await indexTask([named(name)], (format) => format.changeIndex({ add: [], remove: hashes }));
        bytes += await named(name).remove(group);
      }
      return { bytes };
    },
    async *orphans() {
      for (const format of await present()) yield* format.orphans();
    },
    async removeOrphans(orphans) {
      let bytes = 0;
      for (const [name, group] of grouped(orphans)) bytes += await named(name).removeOrphans(group);
      return { bytes };
    },
    close,
  };

  async function indexTask(
    which: readonly FormatWriter[],
    work: (format: FormatWriter) => ReturnType<FormatWriter["changeIndex"]>,
  ): Promise<IndexUpdate> {
    const indexes: IndexUpdate["indexes"][number][] = [];
    for (const format of which) {
      const task = { kind: "index", label: url, subject: `write ${id} ${format.name}`, signal } as const;
      indexes.push({ format: format.name, ...(await runTask(emit, task, () => work(format))) });
    }
    return { indexes };
  }
}

function grouped<T extends Pick<StoredPackage, "format">>(
  all: readonly T[],
): ReadonlyMap<FormatName, readonly T[]> {
  const groups = new Map<FormatName, T[]>();
  for (const one of all) {
    const group = groups.get(one.format);
    if (group === undefined) groups.set(one.format, [one]);
    else group.push(one);
  }
  return groups;
}

/** What is signed must be what is there. */
async function checkArchive({ archive: { path, digest } }: NewPackage): Promise<void> {
  const actual = await digestOfFile(path).catch((thrown: unknown) => {
    throw asSpacktainersError(thrown, { file: path });
  });
  if (actual !== digest)
    throw new SpacktainersError("CHECKSUM_MISMATCH", `the archive has ${actual}, not ${digest}`, {
      place: { file: path },
      hint: "it changed after Spack made it; spacktainers pushed nothing",
    });
}

/**
 * Refuses a key that the cache's readers do not trust, before anything is packed or sent. (A key that is trusted may still have
 * expired: then writing fails.)
 *
 * @throws SpacktainersError KEY_UNKNOWN; KEY_INVALID when a file of trusted keys cannot be read
 */
export async function expectTrustedSigner(
  { url, keys }: Pick<CacheSource, "url" | "keys">,
  signer: Pick<Signer, "fingerprint">,
): Promise<void> {
  if (keys.length === 0) return;
  const trusted = await openTrustedKeys(keys).fingerprints();
  if (!trusted.includes(signer.fingerprint)) throw untrusted(signer, cachePlace(url));
}

function explainUntrusted(signer: Signer, place: Place): (thrown: unknown) => never {
  return (thrown) => {
    if (!(thrown instanceof SpacktainersError) || thrown.code !== "KEY_UNKNOWN") throw thrown;
    throw untrusted(signer, place, thrown);
  };
}

function untrusted(
  { fingerprint }: Pick<Signer, "fingerprint">,
  place: Place,
  cause?: unknown,
): SpacktainersError {
  return new SpacktainersError(
    "KEY_UNKNOWN",
    `the key ${fingerprint}, which signs what is written to this cache, is not among those that it trusts`,
    {
      place,
      hint: "add the public key to the cache's `trust`; otherwise nobody can use the packages",
      cause,
    },
  );
}

function cachePlace(url: string): Place {
  return url.includes("://") ? { url } : { file: url };
}
