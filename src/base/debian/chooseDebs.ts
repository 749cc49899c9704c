/** Turns a request into exact packages: remembered, revalidated, or resolved again. */
import { SpacktainersError } from "../../util/errors.ts";
import { baseKeyOf } from "../baseStore.ts";
import type { BaseArchitecture, BasePackage, DebianBaseSpec } from "../types.ts";
import { packagesWithLibraries } from "./contentsIndex.ts";
import {
  type ArchiveContext,
  indexesKey,
  loadPackagesIndex,
  type OpenedSuite,
  openSuite,
} from "./debianArchive.ts";
import { libraryPackages } from "./libraryPackages.ts";
import { type Mirrors, publicFileUrl } from "./mirrors.ts";
import { type OfferedPackage, openPackageIndex } from "./packagesIndex.ts";
import { resolveDebs } from "./resolveDebs.ts";
import { suiteFolders } from "./suites.ts";

/** What was chosen for a request, and when the archive was last asked. */
interface Remembered {
  /** Milliseconds since 1970. */
  readonly checkedAt: number;
  /** Until when the signatures on the indexes hold, in milliseconds since 1970; null when nothing ends. */
  readonly signedUntil: number | null;
  readonly indexes: string;
  readonly packages: readonly BasePackage[];
}

/** Raised when the rules of choosing change. */
const choiceVersion = 4;

export interface ChooseOptions {
  readonly architecture: BaseArchitecture;
  readonly refresh: boolean;
  readonly maxAgeHours: number;
  readonly mirrors: () => Promise<Mirrors>;
  readonly context: ArchiveContext;
}

/**
 * The packages of a base, sorted by name.
 *
 * The archive is asked at most every `maxAgeHours` (a snapshot never again), by a conditional request for its signed
 * index; only when that names other package indexes are those read and the packages chosen again. When the archive cannot
 * be reached, what was chosen before is used, with a warning, unless a refresh was asked for.
 *
 * @param spec its suite a name of the archive
 */
export async function chooseDebs(
  spec: DebianBaseSpec,
  options: ChooseOptions,
): Promise<readonly BasePackage[]> {
  const { context, architecture } = options;
  const key = baseKeyOf([
    choiceVersion,
    spec.distribution,
    spec.suite,
    architecture,
    [...context.components],
    [...new Set(spec.packages)],
    [...new Set(spec.libraries)],
    spec.snapshot ?? null,
    spec.mirrors === undefined ? null : [...spec.mirrors],
    spec.securityMirrors === undefined ? null : [...spec.securityMirrors],
    // What was chosen by one set of keys says nothing about another: a revocation may have arrived.
    await context.keys.id(),
  ]);
  const found = await context.store.read<Remembered>("requests", key);
  const now = context.clock();
  // Nothing that was signed is remembered for longer than the key is good.
  const remembered = found !== undefined && now < (found.signedUntil ?? now + 1) ? found : undefined;
  if (remembered !== undefined && !options.refresh) {
    const hours = (now - remembered.checkedAt) / 3_600_000;
    if (spec.snapshot !== undefined || (hours >= 0 && hours < options.maxAgeHours))
      return remembered.packages;
  }
  let suites: readonly OpenedSuite[];
  try {
    suites = await openSuites(spec, options);
  } catch (error) {
    const unreachable = error instanceof SpacktainersError && error.code === "NETWORK";
    if (remembered === undefined || options.refresh || !unreachable) throw error;
    context.emit({
      type: "warning",
      code: "NETWORK",
      message: `the package archive cannot be reached; the packages chosen on ${new Date(remembered.checkedAt).toISOString()} are used`,
      place: error.place,
    });
    return remembered.packages;
  }
  const indexes = indexesKey(suites);
  const packages =
    remembered?.indexes === indexes ? remembered.packages : await resolveFrom(spec, suites, options);
  const ends = suites.flatMap(({ release }) => release.signedUntil ?? []);
  const request: Remembered = {
    checkedAt: now,
    signedUntil: ends.length === 0 ? null : Math.min(...ends),
    indexes,
    packages,
  };
  await context.store.write("requests", key, request);
  return packages;
}

async function openSuites(spec: DebianBaseSpec, options: ChooseOptions): Promise<readonly OpenedSuite[]> {
  const mirrors = await options.mirrors();
  const opened = await Promise.all(
    suiteFolders(spec.suite).map((folder) => openSuite(folder, mirrors[folder.archive], options.context)),
  );
  return opened.filter((suite) => suite !== undefined);
}

async function resolveFrom(
  spec: DebianBaseSpec,
  suites: readonly OpenedSuite[],
  { architecture, context }: ChooseOptions,
): Promise<readonly BasePackage[]> {
  const sources = suites.flatMap((suite) => suite.indexes.map((index) => ({ suite, index })));
  const texts: string[] = [];
  for (const { suite, index } of sources) texts.push(await loadPackagesIndex(suite, index, context));
  const index = openPackageIndex(texts);
  const isOffered = (name: string): boolean => index.named(name).length > 0;
  const { packages: libraries, unnamed } = libraryPackages(spec.libraries ?? [], isOffered);
  const found =
    unnamed.length === 0
      ? new Map<string, string>()
      : await packagesWithLibraries(suites, unnamed, multiarchOf[architecture], context);
  const others = [...new Set(found.values())].filter(isOffered).sort();
  const chosen = resolveDebs(index, [...spec.packages, ...libraries, ...others], {
    architecture,
    suite: spec.suite,
  });
  return chosen.map((one) => describe(one, sources[one.index]?.suite, spec, architecture));
}

function describe(
  one: OfferedPackage,
  suite: OpenedSuite | undefined,
  spec: DebianBaseSpec,
  architecture: BaseArchitecture,
): BasePackage {
  const archive = suite?.folder.archive ?? "main";
  const source = /^(\S+)(?: \(([^)]+)\))?$/.exec(one.source);
  return {
    name: one.name,
    version: one.version,
    architecture: one.architecture,
    digest: one.digest,
    size: one.size,
    filename: one.filename,
    archive,
    url: publicFileUrl(spec.distribution, architecture, archive, one.filename),
    ...(source?.[1] === undefined ? {} : { source: { name: source[1], version: source[2] ?? one.version } }),
  };
}

/** Debian's names of the folders for libraries of an architecture. */
export const multiarchOf: Readonly<Record<BaseArchitecture, string>> = {
  amd64: "x86_64-linux-gnu",
  arm64: "aarch64-linux-gnu",
};
