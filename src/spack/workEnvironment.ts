/** The folders of configuration that Spack works with: a scope for this Spack and platform, and an environment a container. */
import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Environment } from "../environment/types.ts";
import { sweepTemporaries, temporaryPath } from "../util/atomicFile.ts";
import { digestOf, hexOfDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { JsonObject } from "../util/json.ts";
import { removeIfPossible } from "../util/removeIfPossible.ts";
import { environmentText } from "./environmentText.ts";
import { bootstrap, type MachinePackages, repositoriesSection } from "./machinePackages.ts";
import type { Spack } from "./spack.ts";

/** What decides a scope, besides the Spack. */
export interface ScopeChoice {
  /** Newest microarchitecture that packages may be built for. */
  readonly target: string;
  readonly machine: MachinePackages;
}

/**
 * Writes the configuration scope of a Spack: its recipes, mirrors of sources, what the machine has, the target, and where
 * packages are built. The same contents are written once.
 *
 * @returns its folder
 * @throws SpacktainersError CONFIG_INVALID when the install tree's path does not fit into the padding
 */
export async function writeScope(spack: Spack, { target, machine }: ScopeChoice): Promise<string> {
  const { settings, dialect, repositories } = spack;
  const found = machine.packages.all;
  const sections: JsonObject = {
    config: { ...placesOf(spack), ...(settings.jobs === undefined ? {} : { build_jobs: settings.jobs }) },
    "repos:": repositoriesSection(repositories, dialect),
    "mirrors:": Object.fromEntries(
      settings.mirrors.map((url, index) => [`sources${index}`, { url, source: true, binary: false }]),
    ),
    bootstrap,
    packages: {
      ...machine.packages,
      all: {
        ...(typeof found === "object" && found !== null ? found : {}),
        require: [targetRequirement(target)],
        target: [target],
      },
    },
    ...(machine.compilers.length === 0 ? {} : { compilers: machine.compilers }),
  };
  return writeOnce(
    spack,
    "scope",
    Object.entries(sections).map(([name, section]) => ({
      name: `${name.replace(/:$/, "")}.yaml`,
      text: `${JSON.stringify({ [name]: section }, undefined, 1)}\n`,
    })),
  );
}

/** What is required of everything that is built for a platform. */
export function targetRequirement(target: string): string {
  return `target=${target}`;
}

/** Where packages are built: keys of `config:`. */
function placesOf({ folders, settings }: Spack): JsonObject {
  const { paddedLength } = settings;
  if (paddedLength > 0 && Buffer.byteLength(folders.store) >= paddedLength)
    throw new SpacktainersError(
      "CONFIG_INVALID",
      `the install tree ${folders.store} is longer than the ${paddedLength} characters it is to be padded to`,
      { hint: "set `spack: padded_length:` to more, or XDG_CACHE_HOME to a shorter path" },
    );
  return {
    "install_tree:": {
      root: folders.store,
      ...(paddedLength === 0 ? {} : { padded_length: paddedLength }),
    },
    "build_stage:": [folders.stage],
    test_stage: join(folders.stage, "test"),
    source_cache: folders.sources,
    misc_cache: folders.misc,
  };
}

/** What an environment is made of. */
export interface WorkEnvironment {
  readonly environment: Environment;
  /** The manifest, word for word. */
  readonly manifestText: string;
  /** Its lock, word for word. */
  readonly lockText?: string | undefined;
  readonly scope: string;
  readonly target: string;
  /** Mirrors of packages, by name. */
  readonly mirrors?: JsonObject;
}

/** The files of an environment: `spack.yaml`, and `spack.lock` when there is one. */
function environmentFiles(spack: Spack, work: WorkEnvironment): readonly { name: string; text: string }[] {
  const text = environmentText(work.manifestText, {
    file: work.environment.file,
    scope: work.scope,
    config: placesOf(spack),
    mirrors: work.mirrors ?? {},
    requireAll: work.environment.all.require,
    target: targetRequirement(work.target),
  });
  return [
    { name: "spack.yaml", text },
    ...(work.lockText === undefined ? [] : [{ name: "spack.lock", text: work.lockText }]),
  ];
}

/** Writes an environment that is kept: the same contents are written once. Returns its folder. */
export async function writeEnvironment(spack: Spack, work: WorkEnvironment): Promise<string> {
  return writeOnce(spack, "env", environmentFiles(spack, work));
}

/** Works with an environment of its own, which is removed afterwards. */
export async function inPassingEnvironment<T>(
  spack: Spack,
  work: WorkEnvironment,
  action: (folder: string) => Promise<T>,
): Promise<T> {
  const parent = join(spack.folders.environments, "passing");
  await mkdir(parent, { recursive: true });
  await sweepTemporaries(parent);
  const folder = temporaryPath(parent);
  try {
    await mkdir(folder);
    for (const { name, text } of environmentFiles(spack, work)) await writeFile(join(folder, name), text);
    return await action(folder);
  } finally {
    await removeIfPossible(folder);
  }
}

async function writeOnce(
  { folders }: Spack,
  kind: string,
  files: readonly { readonly name: string; readonly text: string }[],
): Promise<string> {
  const key = hexOfDigest(digestOf(JSON.stringify(files.map(({ name, text }) => [name, text])))).slice(0, 16);
  const folder = join(folders.environments, `${kind}-${key}`);
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  );
  if (isThere) return folder;
  await mkdir(folders.environments, { recursive: true });
  await sweepTemporaries(folders.environments);
  const unfinished = temporaryPath(folders.environments);
  try {
    await mkdir(unfinished);
    for (const { name, text } of files) await writeFile(join(unfinished, name), text);
    await rename(unfinished, folder).catch((error: NodeJS.ErrnoException) => {
      // Another run was quicker.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await removeIfPossible(unfinished);
  }
  return folder;
}
