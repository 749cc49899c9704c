import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { unpackEntries } from "../../archive/unpackEntries.ts";
import { openCacheSet } from "../../buildcache/cacheSet.ts";
import { withOtherCopies } from "../../buildcache/otherCopy.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import { hostArchitecture } from "../../definitions/hostArchitecture.ts";
import { selectContainers } from "../../definitions/select.ts";
import { installPackage } from "../../install/installPackage.ts";
import { sbangScript } from "../../install/sbangScript.ts";
import { streamEntries, viewNotices } from "../../pipeline/assemble/topLayer.ts";
import { viewChoice } from "../../pipeline/assemble/viewChoice.ts";
import { openEnvironment } from "../../pipeline/choose/openEnvironment.ts";
import { withContainerSection } from "../../pipeline/plan/containerSection.ts";
import { layerSettings } from "../../pipeline/plan/layerSettings.ts";
import { type InstallSettings, planPackages } from "../../pipeline/plan/planPackages.ts";
import { noLocks } from "../../pipeline/plan/useLocks.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import type { ResourcesRequest } from "../../pipeline/workspace/resources.ts";
import { holdsPath, refuseReplacingOthers } from "../../pipeline/workspace/viewPlace.ts";
import { cacheSources, openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { packageTask } from "../../spec/packageTask.ts";
import { usableThreads } from "../../util/addressSpace.ts";
import {
  sweepTemporaries,
  temporaryPath,
  writeAtomically,
  writeFileAtomically,
} from "../../util/atomicFile.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { runTask, type WorkEvent } from "../../util/events.ts";
import { expectWritable } from "../../util/expectWritable.ts";
import type { LockHolder } from "../../util/fileLock.ts";
import { makeDirectory } from "../../util/makeDirectory.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { withTargetLock } from "../../util/targetLock.ts";
import { mergeView } from "../../view/mergeView.ts";
import type { ViewPackage } from "../../view/types.ts";

/** A command line of `unpack`. */
export interface UnpackRequest extends ResourcesRequest {
  /** A container's name, a definition, or a folder with `spack.yaml`. */
  readonly path: string;
  /** Directory to fill; `root` and `view` are below it. */
  readonly into: string;
  /** Where the packages are relocated to, absolute. */
  readonly root: string;
  /** Where the view is, absolute. */
  readonly view: string;
  readonly arch: string | undefined;
  /** Undefined: as configured. */
  readonly strip: boolean | undefined;
  readonly keepMetadata: boolean;
}

/** What was unpacked. */
export interface UnpackedEnvironment {
  readonly into: string;
  readonly packages: readonly {
    readonly name: string;
    readonly version: string;
    readonly hash: string;
    readonly prefix: string;
  }[];
}

/**
 * Puts an environment's packages and its view into a directory as plain files: what real Spack would have installed at
 * `root`, apart from what is stripped. Each package appears whole or not at all; one that is there is replaced.
 *
 * @throws {SpacktainersError} of reading, resolving, trust and installation
 */
export async function unpackEnvironment(request: UnpackRequest): Promise<UnpackedEnvironment> {
  const { emit, signal } = request;
  const into = resolve(request.directory, request.into);
  for (const prefix of [request.root, request.view])
    if (!prefix.startsWith("/") || prefix.split("/").includes(".."))
      throw new SpacktainersError("USAGE", `${prefix} is not an absolute path`, {
        hint: "--root and --view name places below --into, such as /opt/software",
      });
  if (holdsPath(request.view, request.root))
    throw new SpacktainersError(
      "USAGE",
      `the view at ${request.view} would take the place of ${request.root}`,
      {
        hint: "--root and --view must be two places, and the packages must not be inside the view",
      },
    );
  const repository = await openSoundRepository(request.directory);
  const [container] = await selectContainers(repository, {
    names: [request.path],
    cwd: request.directory,
    arch: asArchitecture(request.arch) ?? hostArchitecture(),
  });
  if (container === undefined || container.kind === "def")
    throw new SpacktainersError("NOT_SUPPORTED", `${request.path} is not a Spack environment`, {
      hint: "unpack takes a folder with spack.yaml",
    });
  for (const prefix of [request.root, request.view])
    await expectWritable(join(into, prefix, "file"), { named: into });
  const { configuration } = await withContainerSection(repository.configuration, container);
  const sources = await cacheSources(configuration, request, request.directory);
  const caches = openCacheSet(sources, { emit, signal, refresh: request.refresh });
  const unpack = async (): Promise<UnpackedEnvironment> => {
    const loaded = await openEnvironment(container, configuration, {
      caches,
      areCachesGiven: request.caches.length > 0,
      emit,
    });
    const root = request.root.replace(/\/+$/, "");
    const { resolved, prefixes, fragments } = await planPackages(
      { container, configuration, loaded, locks: noLocks },
      unpackSettings(root, configuration, request),
      { caches, emit },
    );
    const choice = viewChoice(loaded.environment, resolved.graph);
    if (choice !== undefined) await refuseReplacingOthers(join(into, request.view), root);
    const unpack = async (): Promise<void> => {
      emit({ type: "stage", stage: "unpack-packages", total: fragments.length, counts: "unpack" });
      const shown = await mapConcurrently(
        fragments,
        request.jobs ?? usableThreads(),
        async (one): Promise<ViewPackage> => {
          signal.throwIfAborted();
          const archive = await caches.fetchArchive(one.cached);
          const prefix = prefixes.get(one.spec.hash) ?? "";
          const task = { ...packageTask("unpack", one.spec), bytes: archive.size };
          return runTask(emit, task, async ({ progress }) => {
            const installed = installPackage(
              { ...one.request, archivePath: archive.path, archiveDigest: archive.digest },
              { signal, onRead: progress },
            );
            await replacePrefix(join(into, prefix), async (temporary) => {
              await unpackEntries(temporary, installed.entries);
              return join(temporary, prefix);
            });
            return { spec: one.spec, prefix, inventory: installed.inventory() };
          });
        },
      );
      await writeSbang(join(into, root, "bin", "sbang"));
      if (choice !== undefined) {
        emit({ type: "stage", stage: "merge-view" });
        const view = mergeView(
          shown.filter(({ spec }) => choice.shows(spec, resolved)),
          {
            viewPath: request.view,
            layout: "plain",
            linkType: choice.linkType,
            metadata: request.keepMetadata,
            projectionOf: choice.projectionOf,
          },
        );
        for (const message of viewNotices(view)) emit({ type: "warning", code: "NOTICE", message });
        await replacePrefix(join(into, request.view), async (temporary) => {
          await unpackEntries(temporary, streamEntries(view.entries));
          return join(temporary, request.view);
        });
      }
    };
    await withTargetLock(join(into, root), unpack, Number.POSITIVE_INFINITY, {
      signal,
      waiting: (holder) => emit(waitingFor(holder, into)),
    });
    await caches.prune();
    return {
      into,
      packages: fragments.map(({ spec: { name, version, hash } }) => ({
        name,
        version,
        hash,
        prefix: prefixes.get(hash) ?? "",
      })),
    };
  };
  try {
    return await withOtherCopies(unpack);
  } finally {
    await caches.close();
  }
}

function waitingFor(holder: LockHolder | undefined, into: string): WorkEvent {
  const who = holder === undefined ? "another run" : `another run (process ${holder.pid} of ${holder.host})`;
  return {
    type: "warning",
    code: "NOTICE",
    message: `${who} is unpacking into ${into}: waiting for it to end`,
  };
}

/** As Spack installs: `#!` lines that are too long go by way of sbang. No fragment is kept, so its compression decides nothing. */
function unpackSettings(
  root: string,
  configuration: Configuration,
  { strip, keepMetadata }: Pick<UnpackRequest, "strip" | "keepMetadata">,
): InstallSettings {
  return {
    root,
    options: { strip: strip ?? configuration.strip, sbang: "keep", metadata: keepMetadata },
    compression: layerSettings(configuration),
  };
}

/** Fills a temporary directory beside `target` and puts the finished part of it in the target's place. */
async function replacePrefix(target: string, fill: (temporary: string) => Promise<string>): Promise<void> {
  const parent = dirname(target);
  await makeDirectory(parent);
  await sweepTemporaries(parent);
  const temporary = temporaryPath(parent);
  try {
    await mkdir(temporary);
    const finished = await fill(temporary);
    await rm(target, { recursive: true, force: true });
    await rename(finished, target);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** sbang as Spack installs it: its group is that of the install tree. */
async function writeSbang(path: string): Promise<void> {
  const { chmod } = await import("node:fs/promises");
  await writeAtomically(path, async (temporary) => {
    await writeFileAtomically(temporary, sbangScript);
    await chmod(temporary, 0o2755);
  });
}
