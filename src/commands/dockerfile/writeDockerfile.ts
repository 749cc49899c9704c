import { readFile } from "node:fs/promises";
import { dirname, relative, resolve, sep } from "node:path";
import { defaultBasePackages } from "../../base/debian/defaultPackages.ts";
import type { BaseConfiguration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { loadSpacktainersLock, lockPaths } from "../../pipeline/choose/spacktainersLock.ts";
import { withContainerSection } from "../../pipeline/plan/containerSection.ts";
import { readEpilogue } from "../../pipeline/plan/planEpilogue.ts";
import { selectOne } from "../../pipeline/workspace/selectOne.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { isLocalImage } from "../../sif/openLocalImage.ts";
import { writeFileAtomically } from "../../util/atomicFile.ts";
import { asSpacktainersError, SpacktainersError } from "../../util/errors.ts";
import { dockerfileSyntax, dockerfileText } from "./dockerfileText.ts";
import { epilogueInContext } from "./epilogueInContext.ts";

/** A command line of `dockerfile`. */
export interface DockerfileCommand {
  readonly directory: string;
  readonly name: string;
  readonly arch: string | undefined;
  /** Relative to `directory`; undefined: the text is only given back. */
  readonly output: string | undefined;
  readonly force: boolean;
}

/** A Dockerfile, and where it was written. */
export interface WrittenDockerfile {
  readonly name: string;
  readonly arch: string;
  readonly text: string;
  /** Absolute. */
  readonly path: string | undefined;
}

/**
 * Writes the Dockerfile that makes about the same image with Docker and a real Spack (see `dockerfileText`).
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `NOT_SUPPORTED`, `CONFIG_INVALID`, `OUTPUT_EXISTS`; of reading and writing
 */
export async function writeDockerfile(command: DockerfileCommand): Promise<WrittenDockerfile> {
  const repository = await openSoundRepository(command.directory);
  const container = await selectOne(command.name, repository, command);
  const { root } = repository;
  const { configuration } = await withContainerSection(repository.configuration, container);
  const inContext = (path: string): string | undefined => {
    const found = relative(resolve(root), resolve(root, path)).split(sep).join("/");
    return found.startsWith("../") || found === ".." ? undefined : found;
  };
  const { base } = configuration;
  if (base.kind === "rootfs" && (await isLocalImage(base.path)))
    throw new SpacktainersError("NOT_SUPPORTED", "a Dockerfile cannot start from an Apptainer image", {
      place: { file: base.path },
      hint: "it can start from a tar file: extract the file system with `spacktainers sif dump`, and convert it to a tar with sqfs2tar",
    });
  const manifest = inContext(container.path);
  if (manifest === undefined)
    throw new SpacktainersError("NOT_SUPPORTED", "the definition is outside of the repository", {
      place: { file: container.path },
      hint: "a Dockerfile can only use files below the folder that it is built from",
    });
  const text = dockerfileText({
    name: container.name,
    arch: container.arch,
    configuration,
    manifest,
    lock: container.lock === undefined ? undefined : inContext(container.lock),
    epilogue:
      container.epilogue === undefined
        ? undefined
        : epilogueInContext(
            await readEpilogue(container.epilogue),
            container.epilogue,
            inContext(dirname(container.epilogue)) ?? ".",
          ),
    basePackages: await packagesOf(configuration.base, container),
    relative: inContext,
  });
  const path = command.output === undefined ? undefined : resolve(command.directory, command.output);
  if (path !== undefined) await write(path, text, command.force);
  return { name: container.name, arch: container.arch, text, path };
}

/** Those that a lock found the Spack packages to need, else those configured. */
async function packagesOf(base: BaseConfiguration, container: Container): Promise<readonly string[]> {
  if (base.kind !== "debian") return [];
  const lock = await loadSpacktainersLock(lockPaths(container).spacktainers);
  if (lock?.base.kind === "debian") return lock.base.packages.map(({ name }) => name);
  return base.packages ?? defaultBasePackages;
}

async function write(path: string, text: string, force: boolean): Promise<void> {
  const place = { file: path };
  const there = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw asSpacktainersError(error, place);
  });
  if (there === text) return;
  const ours =
    there === undefined ||
    (there.startsWith(dockerfileSyntax) && there.includes("`spacktainers dockerfile`"));
  if (!ours && !force)
    throw new SpacktainersError("OUTPUT_EXISTS", "the file was not written by spacktainers", {
      place,
      hint: "choose another name, or overwrite it with --force",
    });
  await writeFileAtomically(path, text).catch((error: unknown) => {
    throw asSpacktainersError(error, place);
  });
}
