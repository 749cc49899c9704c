/** Packing packages that are installed in somebody's install tree, by real Spack, into a build cache on this machine. */
import { constants } from "node:fs";
import { access, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DagHash } from "../spec/concrete.ts";
import { sweepTemporaries, temporaryPath } from "../util/atomicFile.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { JsonObject } from "../util/json.ts";
import { lastLines } from "./buildLog.ts";
import type { InstallTree } from "./installTree.ts";
import { bootstrap, repositoriesSection } from "./machinePackages.ts";
import { passingFolder, runSpack } from "./runSpack.ts";
import type { Spack } from "./spack.ts";
import { pushWords } from "./spackCommand.ts";

/** Lines of Spack's output in an error. */
const shownLines = 5;

/** Which packages, and where they go. */
export interface InstalledPacking {
  readonly tree: InstallTree;
  readonly hashes: readonly DagHash[];
  readonly cache: string;
  readonly signal: AbortSignal;
}

/**
 * Packs packages of an install tree. The tree is not changed; Spack sees nothing of its owner's configuration.
 *
 * @param cache folder of the build cache that gets them, without signatures
 * @returns what Spack said where it failed, for who finds a package missing; undefined when it did not
 * @throws SpacktainersError NOT_SUPPORTED when another generation of Spack has made the tree; of running Spack
 */
export async function packInstalled(
  spack: Spack,
  { tree, hashes, cache, signal }: InstalledPacking,
): Promise<string | undefined> {
  if (tree.generation !== spack.dialect)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `Spack ${tree.generation} made this install tree, but the configured Spack is ${spack.version}`,
      {
        place: { file: tree.root },
        hint: `use a Spack of the same generation: spack: { ref: ${tree.generation === "0.x" ? "v0.23.1" : "v1.1.0"} } in spacktainers.yaml`,
      },
    );
  const parent = passingFolder(spack);
  await mkdir(parent, { recursive: true });
  await sweepTemporaries(parent);
  const scope = temporaryPath(parent);
  try {
    await mkdir(scope);
    for (const [name, section] of Object.entries(await sectionsOf(spack, tree)))
      await writeFile(join(scope, `${name}.yaml`), JSON.stringify({ [`${name}:`]: section }));
    const { status, output } = await runSpack(spack, { scope }, pushWords(cache, hashes), { signal });
    return status === 0 ? undefined : lastLines(output, shownLines).join("\n");
  } finally {
    await rm(scope, { recursive: true, force: true });
  }
}

async function sectionsOf(spack: Spack, tree: InstallTree): Promise<JsonObject> {
  const { folders, repositories, dialect } = spack;
  const canLock = await access(join(tree.root, ".spack-db"), constants.W_OK).then(
    () => true,
    () => false,
  );
  return {
    config: {
      "install_tree:": {
        root: tree.configuredRoot,
        ...(tree.paddedLength === 0 ? {} : { padded_length: tree.paddedLength }),
      },
      "build_stage:": [folders.stage],
      source_cache: folders.sources,
      misc_cache: folders.misc,
      // Where we may only read, nobody can lock.
      locks: canLock,
    },
    repos: repositoriesSection(repositories, dialect),
    bootstrap,
  };
}
