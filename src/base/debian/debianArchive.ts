/** Access to a Debian or Ubuntu archive: verified releases, indexes in compact form, package files. */
import { createReadStream, createWriteStream } from "node:fs";
import { readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { decompressStream } from "../../archive/decompress.ts";
import type { HttpClient } from "../../net/http.ts";
import type { TrustedKeys } from "../../openpgp/trustedKeys.ts";
import { temporaryPath, writeAtomically } from "../../util/atomicFile.ts";
import type { Clock } from "../../util/clock.ts";
import { type Digest, digestOf, hexOfDigest } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { redactUrl } from "../../util/redact.ts";
import { type BaseStore, keyOfName } from "../baseStore.ts";
import type { Mirror } from "./mirrors.ts";
import { recordFormat } from "./packageRecord.ts";
import { compactPackages } from "./packagesIndex.ts";
import { type VerifiedRelease, verifyRelease } from "./release.ts";
import type { SuiteFolder } from "./suites.ts";

export interface ArchiveContext {
  readonly http: HttpClient;
  readonly store: BaseStore;
  readonly emit: EmitEvent;
  readonly keys: ArchiveKeys;
  readonly clock: Clock;
  readonly architecture: string;
  readonly components: readonly string[];
}

/** The keys that may sign an archive's indexes, read when they are needed. */
export interface ArchiveKeys {
  /** Identifies the set of keys, by the content of their files. */
  id(): Promise<string>;
  /** Throws KEY_INVALID when there is something in the files that cannot be read. */
  open(): Promise<TrustedKeys>;
}

/** One index to read packages from. */
export interface IndexFile {
  /** Path below the suite's folder, such as `main/binary-amd64/Packages.xz`. */
  readonly path: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** A suite's folder, found on a mirror and verified. */
export interface OpenedSuite {
  readonly folder: SuiteFolder;
  readonly mirror: Mirror;
  readonly release: VerifiedRelease;
  readonly indexes: readonly IndexFile[];
}

interface CachedRelease {
  readonly etag?: string;
  readonly lastModified?: string;
  readonly text: string;
}

const maxReleaseBytes = 16 * 2 ** 20;
const maxIndexBytes = 2 ** 30;

/**
 * Opens a suite's folder on the first mirror that has it. The mirrors that nobody configured are skipped when they
 * cannot be reached, lack the suite, or turn out to be of another archive; a bad signature is never skipped.
 *
 * @returns undefined for a folder that is not required and not there
 * @throws SpacktainersError NOT_FOUND, NETWORK, or what {@link verifyRelease} throws
 */
export async function openSuite(
  folder: SuiteFolder,
  mirrors: readonly Mirror[],
  context: ArchiveContext,
): Promise<OpenedSuite | undefined> {
  let failure: SpacktainersError | undefined;
  for (const mirror of mirrors) {
    try {
      const release = await fetchRelease(folder, mirror, context);
      if (release !== undefined)
        return { folder, mirror, release, indexes: chooseIndexes(release, folder, mirror, context) };
      failure ??= new SpacktainersError("NOT_FOUND", `the archive has no suite ${folder.name}`, {
        place: { url: redactUrl(mirror.url) },
        hint: "check the suite's name, or name another mirror",
      });
    } catch (error) {
      const passing =
        error instanceof SpacktainersError &&
        ["NETWORK", "NOT_FOUND", "ACCESS_DENIED", "KEY_UNKNOWN", "SIGNATURE_MISSING"].includes(error.code);
      if (!passing || mirror.origin === "configuration") throw error;
      failure ??= error;
    }
  }
  if (folder.required || (failure !== undefined && failure.code !== "NOT_FOUND"))
    throw failure ?? new SpacktainersError("NOT_FOUND", `there is no mirror for ${folder.name}`);
  context.emit({
    type: "warning",
    code: "NOTICE",
    message: `the archive has no suite ${folder.name}: the base is built without it`,
  });
  return undefined;
}

async function fetchRelease(
  folder: SuiteFolder,
  mirror: Mirror,
  { http, store, keys, emit, clock }: ArchiveContext,
): Promise<VerifiedRelease | undefined> {
  const url = `${mirror.url}/dists/${folder.name}/InRelease`;
  const key = keyOfName(url);
  const cached = await store.read<CachedRelease>("releases", key);
  const answer = await http.getBytes(url, {
    maxBytes: maxReleaseBytes,
    etag: cached?.etag,
    ...(cached?.lastModified === undefined ? {} : { headers: { "if-modified-since": cached.lastModified } }),
  });
  if (answer.status === 404) return undefined;
  const text =
    answer.status === 304 && cached !== undefined ? cached.text : Buffer.from(answer.bytes).toString("utf8");
  const where = { url: redactUrl(url) };
  const release = await verifyRelease(text, {
    keys: await keys.open(),
    suite: folder.name,
    where,
    clock,
    checkValidUntil: mirror.checkValidUntil,
  });
  if (!mirror.checkValidUntil && mirror.origin === "apt" && isPast(release.validUntil, clock)) {
    emit({
      type: "warning",
      code: "INDEX_EXPIRED",
      message: `the index of ${folder.name} is out of date; spacktainers uses it because apt on this machine accepts it, too`,
      place: where,
    });
  }
  if (answer.status === 200)
    await store.write("releases", key, {
      text,
      etag: answer.etag,
      lastModified: answer.lastModified,
    });
  return release;
}

function isPast(date: Date | undefined, clock: Clock): boolean {
  return date !== undefined && date.getTime() < clock();
}

/** The indexes for our architecture: of the forms on offer the smallest we can read. */
function chooseIndexes(
  release: VerifiedRelease,
  folder: SuiteFolder,
  mirror: Mirror,
  { architecture, components }: ArchiveContext,
): IndexFile[] {
  const place = { url: redactUrl(`${mirror.url}/dists/${folder.name}/InRelease`) };
  if (release.architectures.length > 0 && !release.architectures.includes(architecture))
    throw new SpacktainersError("BASE_UNSATISFIABLE", `${folder.name} has no packages for ${architecture}`, {
      place,
      hint: `it has: ${release.architectures.filter((name) => name !== "all").join(", ")}`,
    });
  const find = (path: string): IndexFile | undefined => {
    for (const name of [`${path}.xz`, `${path}.gz`, path]) {
      const file = release.files.get(name);
      if (file !== undefined) return { path: name, ...file };
    }
    return undefined;
  };
  return components.flatMap((component) => {
    if (!/^[a-z0-9][a-z0-9._-]{0,60}$/.test(component))
      throw new SpacktainersError(
        "BASE_INVALID",
        `${JSON.stringify(component)} is not the name of a component`,
      );
    const own = find(`${component}/binary-${architecture}/Packages`);
    if (own === undefined && folder.required)
      throw new SpacktainersError("BASE_INVALID", `${folder.name} has no component ${component}`, {
        place,
        hint: `it has: ${release.components.join(", ")}`,
      });
    const all = release.separateAll ? find(`${component}/binary-all/Packages`) : undefined;
    return [own, all].flatMap((file) => (file === undefined || file.size === 0 ? [] : [file]));
  });
}

/**
 * The compact text of an index (see `packagesIndex.ts`), from disk when it was read before.
 * @throws SpacktainersError CHECKSUM_MISMATCH, NOT_FOUND, NETWORK, ARCHIVE_INVALID
 */
export async function loadPackagesIndex(
  suite: OpenedSuite,
  index: IndexFile,
  context: ArchiveContext,
): Promise<string> {
  const path = `${context.store.indexPath(index.digest)}.${recordFormat}`;
  const known = await readFile(path, "latin1").catch(() => undefined);
  if (known !== undefined) return known;
  const task = {
    kind: "index",
    subject: `${suite.folder.name}:${index.path}`,
    label: `packages of ${suite.folder.name}`,
    bytes: index.size,
  } as const;
  await runTask(context.emit, task, async ({ progress }) => {
    const downloaded = await downloadIndex(suite, index, context, progress);
    const where = { url: redactUrl(indexUrls(suite, index)[0] ?? "") };
    try {
      const chunks = decompressStream(createReadStream(downloaded, { highWaterMark: 2 ** 18 }), {
        where,
        maxBytes: maxIndexBytes,
      });
      await writeAtomically(path, async (temporary) => {
        await pipeline(
          Readable.from(compactPackages(chunks, where)),
          createWriteStream(temporary, { encoding: "latin1" }),
        );
      });
    } finally {
      await rm(downloaded, { force: true });
    }
  });
  return readFile(path, "latin1");
}

/**
 * Downloads an index; the file is the caller's to remove.
 * @throws SpacktainersError CHECKSUM_MISMATCH, NOT_FOUND, NETWORK
 */
export async function downloadIndex(
  suite: OpenedSuite,
  index: IndexFile,
  { http, store }: ArchiveContext,
  onBytes: (bytes: number) => void,
): Promise<string> {
  // Named by its digest, so that a later run continues; then ours alone, while others may download the same.
  const shared = join(store.incoming, hexOfDigest(index.digest));
  const own = temporaryPath(store.incoming);
  let missing: unknown;
  for (const url of indexUrls(suite, index)) {
    try {
      for (let attempt = 1; ; attempt++) {
        await http.downloadFile(url, shared, {
          expectedDigest: index.digest,
          expectedSize: index.size,
          onBytes,
        });
        try {
          await rename(shared, own);
          return own;
        } catch (error) {
          // Another process was faster to take it.
          if (attempt >= 5) throw error;
        }
      }
    } catch (error) {
      if (!(error instanceof SpacktainersError) || error.code !== "NOT_FOUND") throw error;
      missing ??= error;
    }
  }
  throw missing;
}

function indexUrls(suite: OpenedSuite, index: IndexFile): string[] {
  const folder = `${suite.mirror.url}/dists/${suite.folder.name}`;
  const plain = `${folder}/${index.path}`;
  if (!suite.release.byHash) return [plain];
  const parent = index.path.slice(0, index.path.lastIndexOf("/"));
  return [`${folder}/${parent}/by-hash/SHA256/${hexOfDigest(index.digest)}`, plain];
}

/** What to fetch of a package. */
export interface DebSource {
  readonly name: string;
  readonly version: string;
  readonly digest: Digest;
  /** Bytes, when known. */
  readonly size: number | undefined;
  /** Full addresses to try, in order. */
  readonly urls: readonly string[];
}

/**
 * Downloads packages that are not in the store yet, several at a time.
 * @returns their paths, in the order given
 * @throws SpacktainersError NOT_FOUND, NETWORK, CHECKSUM_MISMATCH
 */
export async function fetchDebs(
  sources: readonly DebSource[],
  { http, store, emit }: Pick<ArchiveContext, "http" | "store" | "emit">,
): Promise<readonly string[]> {
  const paths: string[] = new Array(sources.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (;;) {
      const at = next++;
      const source = sources[at];
      if (source === undefined) return;
      try {
        paths[at] = (await store.debs.find(source.digest)) ?? (await fetchDeb(source, http, store, emit));
      } catch (error) {
        next = sources.length;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: 6 }, work));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return paths;
}

async function fetchDeb(
  source: DebSource,
  http: HttpClient,
  store: BaseStore,
  emit: EmitEvent,
): Promise<string> {
  const task = {
    kind: "download",
    subject: source.digest,
    label: `${source.name} ${source.version}`,
    bytes: source.size,
  } as const;
  return runTask(emit, task, async ({ progress }) => {
    const destination = store.debs.path(source.digest);
    let failure: unknown;
    for (const url of source.urls) {
      try {
        await http.downloadFile(url, destination, {
          expectedDigest: source.digest,
          expectedSize: source.size,
          partialDirectory: store.incoming,
          onBytes: progress,
        });
        return destination;
      } catch (error) {
        failure ??= error;
        if (!(error instanceof SpacktainersError) || !["NOT_FOUND", "NETWORK"].includes(error.code)) break;
      }
    }
    throw failure;
  });
}

/** The digest of what decides which packages are chosen from these suites: the digests of their indexes. */
export function indexesKey(suites: readonly OpenedSuite[]): Digest {
  return digestOf(suites.flatMap((suite) => suite.indexes.map((index) => index.digest)).join("\n"));
}
