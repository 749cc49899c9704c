/** What is needed of build caches: by the locks of repositories, by published images, and by whatever else a command line names. */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { CacheSet } from "../../buildcache/cacheSet.ts";
import { architectures } from "../../definitions/configuration.ts";
import type { Repository } from "../../definitions/repository.ts";
import { loadLock } from "../../environment/load.ts";
import type { Image } from "../../image/image.ts";
import { platformOf } from "../../image/platform.ts";
import { lockOf } from "../../pipeline/describe/packageListing.ts";
import { findForm } from "../../pipeline/images/findImage.ts";
import { referenceOpener } from "../../pipeline/images/openReference.ts";
import { openForm } from "../../pipeline/images/openSubject.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { publishTarget } from "../../publish/targets.ts";
import { openRegistries } from "../../registry/openRegistries.ts";
import { formatRepository } from "../../registry/reference.ts";
import { listTags } from "../../registry/tags.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../../spec/concrete.ts";
import { errorsOf, SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { openContainer } from "../explain/explainedContainer.ts";

/** One thing that needs packages. */
export interface NamedNeed {
  readonly kind: "lock" | "caches" | "image" | "spec";
  /** For people: a container, a file, an image. */
  readonly label: string;
  /** Everything it names, what was only needed to build it included; without external packages. */
  readonly specs: ReadonlyMap<DagHash, ConcreteSpec>;
  /** Of these, what is there of itself rather than for others. */
  readonly roots: readonly DagHash[];
}

/** What is needed, and what could not be found out. */
export interface NamedNeeds {
  readonly needs: readonly NamedNeed[];
  /** Why it cannot be told what something needs: while there are any, nothing may be removed. */
  readonly problems: readonly SpacktainersError[];
}

/** What decides what is needed. */
export interface NeedsRequest {
  readonly directory: string;
  /** Repositories, locks (or folders with one) and images besides this repository. */
  readonly keep: readonly string[];
  /** Whether the images count that are published by the registries of these repositories. */
  readonly images: boolean;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** Last version of locks whose hashes are not those that caches know. */
const lastLegacyLock = 3;

/** Images looked into at a time. */
const imagesAtOnce = 4;

/** Tags that signatures and statements hang on: `sha256-…` of a digest, perhaps with an ending. */
const attached = /^sha256-[0-9a-f]{64}/;

/**
 * Finds out what is needed. What a container without a lock needs is what would be chosen for it now.
 *
 * @param repository the one the command line is in
 * @param caches to choose from
 */
export async function namedNeeds(
  repository: Repository,
  caches: CacheSet,
  request: NeedsRequest,
): Promise<NamedNeeds> {
  const { directory, emit, signal } = request;
  const needs: NamedNeed[] = [];
  const problems: SpacktainersError[] = [];
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    await work().catch((thrown: unknown) => {
      if (signal.aborted) throw thrown;
      problems.push(...errorsOf(thrown));
    });
  };
  const repositories = [repository];
  const images: { readonly label: string; readonly open: () => Promise<readonly Image[]> }[] = [];
  for (const text of request.keep)
    await attempt(async () => {
      const found = await keptThing(text, directory);
      if (found.kind === "repository") repositories.push(found.repository);
      else if (found.kind === "lock") needs.push(await needOfLock(found.file, text));
      else {
        const { registries } = repository.configuration;
        const open = async () => [await openForm(found.form, { arch: undefined, registries, emit, signal })];
        images.push({ label: text, open });
      }
    });
  for (const each of repositories) {
    // Those that no container can be made of need something, too; what, nobody can tell.
    problems.push(...each.broken.flatMap(({ errors }) => errors));
    for (const container of each.containers) {
      if (container.kind === "def") continue;
      const label = `${container.arch}/${container.name} of ${each.root}`;
      await attempt(async () => {
        if (container.lock !== undefined) needs.push(await needOfLock(container.lock, label));
        else {
          const { listing } = await openContainer(container, each.configuration, { caches, emit });
          const roots = listing.roots.map(({ hash }) => hash);
          needs.push({
            kind: "caches",
            label: `${label} (no lock: as chosen now)`,
            specs: packagesIn(listing.graph),
            roots,
          });
        }
      });
    }
    if (request.images)
      await attempt(async () => void images.push(...(await publishedImages(each, request))));
  }
  if (images.length > 0) emit({ type: "stage", stage: "read-layers" });
  const seen = new Set<string>();
  await mapConcurrently(images, imagesAtOnce, ({ label, open }) =>
    attempt(async () => {
      for (const image of await open()) {
        const lock = await lockOf(image);
        // Not an image of spacktainers, or a base: it has no Spack packages that would need a cache.
        if (lock === undefined) continue;
        const key = [...lock.graph.keys()].sort().join();
        if (seen.has(`${label} ${key}`)) continue;
        seen.add(`${label} ${key}`);
        const roots = [...lock.roots, ...lock.includedRoots].map(({ hash }) => hash);
        needs.push({ kind: "image", label, specs: packagesIn(lock.graph), roots });
      }
    }),
  );
  needs.sort((a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0));
  return { needs, problems };
}

type KeptThing =
  | { readonly kind: "repository"; readonly repository: Repository }
  | { readonly kind: "lock"; readonly file: string }
  | { readonly kind: "image"; readonly form: NonNullable<Awaited<ReturnType<typeof findForm>>> };

/** What a command line means by something to keep. */
async function keptThing(text: string, directory: string): Promise<KeptThing> {
  const path = resolve(directory, text);
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isDirectory() === true) {
    const lock = join(path, "spack.lock");
    if (
      await stat(lock).then(
        (one) => one.isFile(),
        () => false,
      )
    )
      return { kind: "lock", file: lock };
  } else if (facts?.isFile() === true && path.endsWith(".lock")) return { kind: "lock", file: path };
  const form = await findForm(text, directory);
  if (form !== undefined) return { kind: "image", form };
  if (facts?.isDirectory() === true) {
    const repository = await openSoundRepository(path);
    if (repository.containers.length + repository.broken.length > 0)
      return { kind: "repository", repository };
    throw new SpacktainersError("NOT_FOUND", "there are no definitions here, no lock and no image", {
      place: { file: path },
    });
  }
  throw new SpacktainersError("NOT_FOUND", `${text} is not a repository, a lock or an image`, {
    hint: "name an image in a registry with docker://NAME",
  });
}

async function needOfLock(file: string, label: string): Promise<NamedNeed> {
  const lock = await loadLock(file);
  if (lock.lockVersion <= lastLegacyLock)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      "this lock is too old: its hashes are not those of packages in caches",
      { place: { file }, hint: "write it again: spacktainers lock, or spack concretize --force" },
    );
  const roots = [...lock.roots, ...lock.includedRoots].map(({ hash }) => hash);
  return { kind: "lock", label, specs: packagesIn(lock.graph), roots };
}

function packagesIn(graph: SpecGraph): NamedNeed["specs"] {
  return new Map([...graph].filter(([, spec]) => spec.external === undefined));
}

/** Every image of every tag that the containers of a repository have in its registries. */
async function publishedImages(
  { configuration, containers }: Repository,
  { emit, signal }: NeedsRequest,
): Promise<readonly { readonly label: string; readonly open: () => Promise<readonly Image[]> }[]> {
  const registries = openRegistries({ configured: configuration.registries, readOnly: true, emit, signal });
  const open = referenceOpener(configuration.registries);
  const images = new Map<string, () => Promise<readonly Image[]>>();
  try {
    for (const [at, registry] of configuration.registries.entries()) {
      const place = configuration.placeOf(["registries", at]);
      for (const container of containers) {
        const { repository } = publishTarget(registry, container, place);
        const name = formatRepository(repository);
        const tags = (await listTags(registries.repository(repository))) ?? [];
        for (const tag of tags) {
          if (attached.test(tag)) continue;
          const label = `${name}:${tag}`;
          images.set(label, async () => {
            const found: Image[] = [];
            for (const arch of architectures) {
              const platforms = [platformOf(arch)];
              const image = await open({ transport: "docker", name: label, platforms, emit, signal }).catch(
                (thrown: unknown) => {
                  // Of another architecture, or removed since: it needs nothing then.
                  if (errorsOf(thrown).every(({ code }) => ["NOT_FOUND", "NOT_SUPPORTED"].includes(code)))
                    return undefined;
                  throw thrown;
                },
              );
              if (image !== undefined) found.push(image);
            }
            return found;
          });
        }
      }
    }
  } finally {
    await registries.close();
  }
  return [...images].map(([label, opener]) => ({ label, open: opener }));
}
