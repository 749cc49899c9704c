import type { Architecture } from "../../definitions/configuration.ts";
import { containerNameFrom, isContainerName } from "../../definitions/findDefinitions.ts";
import { hostArchitecture } from "../../definitions/hostArchitecture.ts";
import { findRepositoryRoot } from "../../definitions/repository.ts";
import { readManifest } from "../../environment/manifest.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { definitionText } from "../../scaffold/definitionText.ts";
import { oneError, SpacktainersError } from "../../util/errors.ts";
import { presentPipelines, writePipelines } from "../ci/writePipelines.ts";
import { createFiles } from "../init/createFiles.ts";
import { askCaches, type CacheAnswer, type CacheQuestion } from "./askCaches.ts";
import { splitSpecs } from "./splitSpecs.ts";

/** What `add` was asked for. */
export interface AddRequest extends CacheQuestion {
  /** `name` or `arch/name`. */
  readonly name: string;
  /** Words of the command line. */
  readonly specs: readonly string[];
  readonly arch: string | undefined;
}

/** What was added. */
export interface AddResult {
  readonly name: string;
  readonly arch: Architecture;
  /** Absolute path of the definition. */
  readonly path: string;
  readonly specs: readonly string[];
  /** Packages that the caches have for it. */
  readonly caches: CacheAnswer;
  /** Pipeline files that were written again because they name the containers, relative to the repository's root. */
  readonly pipelines: readonly string[];
}

/**
 * Adds a container to the repository and asks the caches whether they have it. That they do not is no failure: it may be built.
 * Pipelines that were up to date are so afterwards.
 *
 * @throws {SpacktainersError} `USAGE` outside of a repository, for a name that no container can have, and for words that name no
 *   package; `SPEC_SYNTAX` with the column; `OUTPUT_EXISTS` when there is such a container
 */
export async function addContainer(request: AddRequest): Promise<AddResult> {
  const { directory, signal } = request;
  const root = await findRepositoryRoot(directory);
  if (root === undefined)
    throw new SpacktainersError("USAGE", "there is no repository here", {
      hint: "to create one: `spacktainers init`",
    });
  const { configuration, containers } = await openSoundRepository(directory);
  const { name, arch } = whichContainer(request);
  const specs = splitSpecs(request.specs, configuration.spack.dialect);
  const twin = containers.find((one) => one.name === name && one.arch === arch);
  if (twin !== undefined) throw exists(twin.path, twin.parked);
  const text = definitionText(specs, ["The first spec gives the container its version."]);
  const path = `${arch}/${name}/spack.yaml`;
  const { errors } = readManifest(
    text,
    path,
    configuration.spack.dialect === undefined ? {} : { dialect: configuration.spack.dialect },
  );
  if (errors.length > 0)
    // There is no such file to look at.
    throw oneError(
      errors.map(
        ({ code, message, hint }) => new SpacktainersError(code, message, hint === undefined ? {} : { hint }),
      ),
    );
  const present = await presentPipelines(root);
  const { created } = await createFiles(configuration.definitions, [{ path, content: text }], signal);
  const file = `${configuration.definitions}/${path}`;
  if (created.length === 0) throw exists(file, false);
  const pipelines = await renewPipelines(root, present, request);
  const caches = await askCaches(text, arch, configuration, request);
  return { name, arch, path: file, specs, caches, pipelines };
}

/** Writes pipelines that were up to date again; names those that were not. */
async function renewPipelines(
  root: string,
  present: Awaited<ReturnType<typeof presentPipelines>>,
  { emit }: AddRequest,
): Promise<readonly string[]> {
  const written: string[] = [];
  for (const { host, isCurrent } of present)
    if (isCurrent)
      for (const { path, state } of await writePipelines(root, host, { force: false }))
        written.push(...(state === "written" ? [path] : []));
    else
      emit({
        type: "warning",
        code: "NOTICE",
        message: `the pipelines of ${host} were out of date already, and are left unchanged`,
        hint: `\`spacktainers ci ${host}\` writes them`,
      });
  return written;
}

function whichContainer({ name: given, arch: asked }: AddRequest): { name: string; arch: Architecture } {
  const [, prefix, name = ""] = /^(?:(amd64|arm64)\/)?(.*)$/s.exec(given) ?? [];
  const arch = asArchitecture(asked ?? prefix) ?? hostArchitecture();
  if (prefix !== undefined && prefix !== arch)
    throw new SpacktainersError("USAGE", `${given} is not for ${arch}`, {
      hint: `leave out ${prefix}/ or --arch`,
    });
  if (isContainerName(name)) return { name, arch };
  throw new SpacktainersError("USAGE", `\`${name}\` cannot be the name of a container`, {
    hint: `use lower-case letters and digits, with single \`.\`, \`_\` or \`-\` between them, such as ${containerNameFrom(name)}`,
  });
}

function exists(path: string, parked: boolean): SpacktainersError {
  return new SpacktainersError("OUTPUT_EXISTS", `the container exists already${parked ? ", parked" : ""}`, {
    place: { file: path },
    hint: "edit that file, or choose another name",
  });
}
