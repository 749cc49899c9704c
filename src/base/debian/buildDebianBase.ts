/** A base of Debian or Ubuntu packages: chosen, downloaded, unpacked, one layer. */
import { openHttp } from "../../net/http.ts";
import { systemClock } from "../../util/clock.ts";
import { hexOfDigest } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { runTask } from "../../util/events.ts";
import { once } from "../../util/once.ts";
import { type BaseStore, baseKeyOf } from "../baseStore.ts";
import { buildLayer, transformationVersion } from "../buildLayer.ts";
import { findBuilt, rememberBuilt } from "../builtBase.ts";
import { libcVersionOf } from "../libc.ts";
import type { Base, BasePackage, BasePlan, BuildBaseOptions, DebianBaseSpec } from "../types.ts";
import { archiveKeys } from "./archiveKeys.ts";
import { chooseDebs } from "./chooseDebs.ts";
import { type ArchiveContext, fetchDebs } from "./debianArchive.ts";
import { type DebPackage, openDeb } from "./debPackage.ts";
import { compileExcludes, defaultExcludes } from "./excludes.ts";
import { chooseMirrors, type Mirrors } from "./mirrors.ts";
import { suiteName } from "./suites.ts";
import { unpackDebs } from "./unpackDebs.ts";

/**
 * Decides which Debian or Ubuntu packages a base consists of.
 * @throws SpacktainersError BASE_INVALID, BASE_UNSATISFIABLE, NOT_FOUND, NETWORK; SIGNATURE_INVALID and the other trust codes
 */
export async function planDebianBase(
  given: DebianBaseSpec,
  options: BuildBaseOptions,
  store: BaseStore,
): Promise<BasePlan> {
  const { architecture } = options;
  const spec: DebianBaseSpec = { ...given, suite: suiteName(given.distribution, given.suite) };
  const mirrors = once(() => chooseMirrors(spec, architecture));
  const packages =
    options.lock === undefined
      ? await inArchive(spec, options, store, (context) =>
          chooseDebs(spec, {
            architecture,
            refresh: options.refresh === true,
            maxAgeHours: options.maxAgeHours ?? 24,
            mirrors,
            context,
          }),
        )
      : lockedPackages(options.lock.packages, options);
  const excludes = spec.excludes ?? defaultExcludes;
  const key = baseKeyOf([
    "debian",
    transformationVersion,
    architecture,
    [...excludes],
    packages.map((one) => one.digest ?? null),
  ]);
  return {
    key,
    layerCount: 1,
    packages,
    async find() {
      const known = await findBuilt(store, key);
      return known === undefined ? undefined : { ...known, packages };
    },
    make: () =>
      inArchive(spec, options, store, async (context) => {
        const debs = await openDebs(packages, await mirrors(), context);
        const base = await unpackedBase(debs, { spec, packages, key, excludes, options, store });
        await rememberBuilt(store, base);
        await store.prune();
        return base;
      }),
  };
}

/** Work with the archive's servers; connections are closed at its end. */
async function inArchive<T>(
  spec: DebianBaseSpec,
  options: BuildBaseOptions,
  store: BaseStore,
  work: (context: ArchiveContext) => Promise<T>,
): Promise<T> {
  const { architecture, emit, signal } = options;
  const http = options.http ?? openHttp({ emit, signal });
  const clock = options.clock ?? systemClock;
  const keys = archiveKeys(spec, clock, emit);
  const components = spec.components ?? ["main"];
  try {
    return await work({ http, store, emit, keys, clock, architecture, components });
  } finally {
    if (options.http === undefined) await http.close();
  }
}

/** Packages unpacked into one layer. */
async function unpackedBase(
  debs: readonly DebPackage[],
  made: {
    readonly spec: DebianBaseSpec;
    readonly packages: readonly BasePackage[];
    readonly key: Base["key"];
    readonly excludes: readonly string[];
    readonly options: BuildBaseOptions;
    readonly store: BaseStore;
  },
): Promise<Base> {
  const { spec, packages, key, store } = made;
  const { architecture, emit, signal } = made.options;
  const bytes = packages.reduce((sum, one) => sum + installedSize(debs, one.name), 0);
  const label = `${spec.distribution} ${spec.suite}`;
  return runTask(emit, { kind: "base", subject: key, label, bytes }, async ({ progress }) => {
    let undone: string | undefined;
    const entries = unpackDebs(debs, {
      architecture,
      isExcluded: compileExcludes(made.excludes),
      signal,
      onUndone: (notice) => {
        undone = notice;
      },
    });
    const { layer, inventory } = await buildLayer(entries, store.layers, progress);
    const libcVersion = libcVersionOf(inventory, packages);
    return {
      layers: [layer],
      inventory,
      packages,
      key,
      libcVersion,
      undone,
    };
  });
}

function lockedPackages(
  packages: readonly BasePackage[],
  { architecture }: BuildBaseOptions,
): readonly BasePackage[] {
  for (const one of packages) {
    const complete = one.digest !== undefined && one.filename !== undefined && one.archive !== undefined;
    if (!complete || !["all", architecture].includes(one.architecture))
      throw new SpacktainersError(
        "LOCK_INVALID",
        `the lock of the base names ${one.name} in a way that cannot be used for ${architecture}`,
        { hint: "run `spacktainers lock` to write the lock again" },
      );
  }
  return [...packages].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Downloads and opens packages, and makes sure that each is the one it is called. */
async function openDebs(
  packages: readonly BasePackage[],
  mirrors: Mirrors,
  context: ArchiveContext,
): Promise<readonly DebPackage[]> {
  const sources = packages.flatMap((one) => {
    const { name, version, architecture, digest, size, filename, archive } = one;
    if (digest === undefined || filename === undefined || archive === undefined) return [];
    const urls = mirrors[archive].map((mirror) => `${mirror.url}/${filename}`);
    return [{ name, version, architecture, digest, size, urls }];
  });
  const paths = await fetchDebs(sources, context);
  return Promise.all(
    sources.map(async (source, at) => {
      const where = {
        url: `${source.name}_${source.version} (sha256 ${hexOfDigest(source.digest).slice(0, 12)}…)`,
      };
      const deb = await openDeb(paths[at] ?? "", where);
      const titles = [source, deb].map((one) => `${one.name} ${one.version} (${one.architecture})`);
      if (titles[0] !== titles[1])
        throw new SpacktainersError(
          "IDENTITY_MISMATCH",
          `the package ${titles[0]} turns out to be ${titles[1]}`,
          { place: where },
        );
      return deb;
    }),
  );
}

/** Bytes a package says that it takes when unpacked: an estimate for the display. */
function installedSize(debs: readonly DebPackage[], name: string): number {
  const field = debs.find((deb) => deb.name === name)?.control.get("installed-size") ?? "0";
  return /^\d{1,9}$/.test(field) ? Number(field) * 1024 : 0;
}
