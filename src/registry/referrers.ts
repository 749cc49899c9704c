/**
 * Manifests that say something about another one (SBOMs, signatures): the referrers of OCI distribution specification 1.1,
 * and for registries that do not know them the index at the tag `sha256-HEX` ("Referrers Tag Schema").
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseImageManifest, parseIndex } from "../archive/oci/parse.ts";
import { type Descriptor, type ImageIndex, mediaTypes } from "../archive/oci/types.ts";
import { interruption } from "../net/retry.ts";
import { type Digest, digestOf, hexOfDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";
import { getManifest, putManifest } from "./manifests.ts";
import { readPages } from "./pages.ts";
import type { Tag } from "./reference.ts";
import type { ImageRepository } from "./registry.ts";
import { RegistryRefusal } from "./registryError.ts";

/** Most referrers of one manifest that are read. */
const maxReferrers = 10_000;
/** How often an index that others write at the same time is written again. */
const maxConflicts = 12;
/** How long after writing the index is read again, at least and on top of that at most, in milliseconds. */
const settleMs = 150;
const settleJitterMs = 250;

/**
 * The manifests that refer to another one.
 *
 * @param artifactType only those of this type
 * @returns none when nothing refers to it, or it is not there
 * @throws ARCHIVE_INVALID when the registry's list is malformed; ACCESS_DENIED, NETWORK
 */
export async function listReferrers(
  repository: ImageRepository,
  subject: Digest,
  artifactType?: string,
): Promise<readonly Descriptor[]> {
  const all =
    (await fromApi(repository, subject, artifactType)) ?? (await fromTag(repository, subject)).manifests;
  return artifactType === undefined ? all : all.filter((one) => one.artifactType === artifactType);
}

/**
 * Writes a manifest with a `subject`, so that it is found among the subject's referrers: by the registry itself, or, where
 * it does not know of referrers, through the tag. What others write at the same time stays.
 *
 * @param bytes an image manifest; its blobs must be there
 * @returns its digest
 * @throws ARCHIVE_INVALID when it has no subject; NETWORK when others keep overwriting the tag; as {@link putManifest}
 */
export async function putReferrer(repository: ImageRepository, bytes: Uint8Array): Promise<Digest> {
  const digest = digestOf(bytes);
  const place = placeOf(repository, digest);
  const manifest = parseImageManifest(bytes, place);
  const { subject } = manifest;
  if (subject === undefined)
    throw new SpacktainersError("ARCHIVE_INVALID", "a referrer must name its subject", { place });
  const { referrerKnown } = await putManifest(repository, digest, bytes, mediaTypes.manifest);
  if (referrerKnown) return digest;
  const descriptor: Descriptor = {
    mediaType: mediaTypes.manifest,
    digest,
    size: bytes.length,
    artifactType: manifest.artifactType ?? manifest.config.mediaType,
    annotations: manifest.annotations,
  };
  await addTogether(repository, subject.digest, descriptor);
  return digest;
}

/** The tag that stands for the referrers of a manifest. */
export function referrersTag(subject: Digest): Tag {
  return `sha256-${hexOfDigest(subject)}` as Tag;
}

/** Undefined when the registry does not know of referrers. */
async function fromApi(
  repository: ImageRepository,
  subject: Digest,
  artifactType: string | undefined,
): Promise<readonly Descriptor[] | undefined> {
  const query = artifactType === undefined ? "" : `?artifactType=${encodeURIComponent(artifactType)}`;
  const pages = readPages(repository.session, {
    url: `/v2/${repository.path}/referrers/${subject}${query}`,
    access: { repository, actions: "pull" },
    what: `the referrers of ${subject}`,
    headers: { accept: mediaTypes.index },
    // What registries that do not know the API say.
    expected: [400, 404, 405, 406, 501],
  });
  const found: Descriptor[] = [];
  for await (const page of pages) {
    if (page.status >= 300) return undefined;
    const type = page.header("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
    // A page for people (a web front end answers any path) is not an index.
    if (type !== mediaTypes.index) return undefined;
    found.push(...parseIndex(page.bytes, { url: redactUrl(page.url) }).manifests);
    if (found.length > maxReferrers)
      throw new SpacktainersError("NETWORK", `the manifest has more than ${maxReferrers} referrers`, {
        place: { url: redactUrl(page.url) },
      });
  }
  return found;
}

async function fromTag(repository: ImageRepository, subject: Digest): Promise<ImageIndex> {
  const none: ImageIndex = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] };
  const tag = referrersTag(subject);
  const found = await getManifest(repository, tag);
  // Somebody may have put an image at this tag: cosign's signatures of old have similar names.
  if (found === undefined || found.mediaType !== mediaTypes.index) return none;
  return parseIndex(found.bytes, placeOf(repository, tag));
}

/** Entries for one tag that this process is writing. */
interface TagWriter {
  /** Not written yet. */
  readonly waiting: Descriptor[];
  /** Ends once all entries have stayed. */
  readonly work: Promise<void>;
  /** Cuts the pause short in which written entries are left alone. */
  wake(): void;
}

const writers = new Map<string, TagWriter>();

/**
 * Adds to the index at the tag. Within this process there is one writer for a tag, which takes along all that has come
 * together until it writes: an entry never waits until those before it have stayed.
 */
function addTogether(repository: ImageRepository, subject: Digest, descriptor: Descriptor): Promise<void> {
  const key = `${repository.session.origin} ${repository.path} ${subject}`;
  const running = writers.get(key);
  if (running !== undefined) {
    running.waiting.push(descriptor);
    running.wake();
    return running.work;
  }
  const waiting = [descriptor];
  let pause = new AbortController();
  const work = addToTag(repository, subject, {
    waiting,
    pause() {
      pause = new AbortController();
      return pause.signal;
    },
    done: () => void writers.delete(key),
  });
  writers.set(key, { waiting, work, wake: () => pause.abort() });
  return work;
}

/** What the writer of a tag is given by those who have entries for it. */
interface TagWork {
  readonly waiting: Descriptor[];
  /** Begins a pause. @returns aborted when there is something new */
  pause(): AbortSignal;
  /** No more entries are taken. */
  done(): void;
}

/**
 * Writes what waits. The specification has no conditional write, so another writer may overwrite ours in
 * between: the index is read again after a while, and written again until our entries stay.
 */
async function addToTag(
  repository: ImageRepository,
  subject: Digest,
  { waiting, pause, done }: TagWork,
): Promise<void> {
  const tag = referrersTag(subject);
  const written: Descriptor[] = [];
  try {
    for (let conflicts = 0; conflicts <= maxConflicts; ) {
      const index = await fromTag(repository, subject);
      const lost = missingIn(index, written);
      if (lost.length > 0) conflicts++;
      else if (waiting.length === 0 && written.length > 0) return;
      const added = waiting.splice(0);
      const missing = [...lost, ...missingIn(index, added)];
      written.push(...added);
      if (missing.length > 0) {
        const bytes = Buffer.from(JSON.stringify({ ...index, manifests: [...index.manifests, ...missing] }));
        await putManifest(repository, tag, bytes, mediaTypes.index).catch((thrown) => {
          // Registries that notice say so; the next round reads what the other one wrote.
          if (thrown instanceof RegistryRefusal && [409, 412].includes(thrown.status)) return;
          throw thrown;
        });
      }
      if (waiting.length === 0) await settle(repository, pause());
    }
  } finally {
    done();
  }
  throw new SpacktainersError("NETWORK", "others keep overwriting the list of referrers", {
    place: placeOf(repository, tag),
    hint: "try again when they have finished",
  });
}

/** Gives other writers the time to overwrite what was written, unless there is something new to write. */
async function settle({ session }: ImageRepository, news: AbortSignal): Promise<void> {
  const { signal } = session.policy;
  const either = signal === undefined ? news : AbortSignal.any([signal, news]);
  await sleep(settleMs + Math.random() * settleJitterMs, undefined, { signal: either }).catch(() => {
    if (signal?.aborted === true) throw interruption(signal, session.origin);
  });
}

function missingIn(index: ImageIndex, entries: readonly Descriptor[]): readonly Descriptor[] {
  return entries.filter((entry) => !index.manifests.some((one) => one.digest === entry.digest));
}

function placeOf(repository: ImageRepository, reference: string): { readonly url: string } {
  return { url: redactUrl(`${repository.session.origin}/v2/${repository.path}/manifests/${reference}`) };
}
