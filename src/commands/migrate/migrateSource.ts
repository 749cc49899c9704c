import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { defaultBasePackages } from "../../base/debian/defaultPackages.ts";
import { type Architecture, configurationFileName } from "../../definitions/configuration.ts";
import { isContainerName } from "../../definitions/findDefinitions.ts";
import { hostArchitecture } from "../../definitions/hostArchitecture.ts";
import { findRepositoryRoot, loadRepository } from "../../definitions/repository.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import { configurationText } from "../../scaffold/configurationText.ts";
import { repositoryFiles } from "../../scaffold/repositoryFiles.ts";
import type { ScaffoldAnswers, ScaffoldFile } from "../../scaffold/types.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { readBounded } from "../../util/readBounded.ts";
import { askCaches, type CacheAnswer } from "../add/askCaches.ts";
import { checkDefinitions } from "../check/checkDefinitions.ts";
import { type AskedCaches, cacheAnswers } from "../init/cacheAnswers.ts";
import { createFiles } from "../init/createFiles.ts";
import { expectSound } from "../init/initRepository.ts";
import type { MigrationFinding } from "./migration.ts";
import { readSource, type SourceReading } from "./readSource.ts";

/** What `migrate` was asked for. */
export interface MigrateRequest extends AskedCaches {
  /** What relative paths start from. */
  readonly directory: string;
  /** A folder, a `spack.yaml` or a Dockerfile. */
  readonly source: string;
  /** Folder of the repository to be; undefined: that of a repository, else `directory`. */
  readonly into: string | undefined;
  /** Name of the container; undefined: that of its folder. */
  readonly name: string | undefined;
  readonly arch: string | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** A container that came out. */
export interface MigratedDefinition {
  readonly name: string;
  readonly arch: string;
  /** Absolute. */
  readonly path: string;
  /** Undefined if there is no cache to ask, or if it is a definition file. */
  readonly caches: CacheAnswer | undefined;
  /** Mistakes in it that have to be repaired first. */
  readonly errors: number;
}

/** What `migrate` did. */
export interface MigrateResult {
  readonly kind: SourceReading["kind"];
  /** Absolute folder of the repository. */
  readonly root: string;
  /** Paths relative to it. */
  readonly created: readonly string[];
  readonly kept: readonly string[];
  readonly containers: readonly MigratedDefinition[];
  readonly findings: readonly MigrationFinding[];
}

/** Largest file of a definition's folder that is copied to another repository, in bytes. */
const longestFile = 64 << 20;

/**
 * Takes over an existing repository of the original kind, a manifest for `spack containerize`, or a Dockerfile that runs Spack.
 * Nothing that exists is changed.
 *
 * @throws {SpacktainersError} what cannot be read; `OUTPUT_EXISTS` when there is such a container already
 */
export async function migrateSource(request: MigrateRequest): Promise<MigrateResult> {
  const { directory, signal } = request;
  if (request.name !== undefined && !isContainerName(request.name))
    throw new SpacktainersError("USAGE", `\`${request.name}\` cannot be the name of a container`);
  const source = await readSource(resolve(directory, request.source), request.name);
  const arch = asArchitecture(request.arch) ?? hostArchitecture();
  const wanted =
    request.into === undefined
      ? source.kind === "repository"
        ? source.folder
        : directory
      : resolve(directory, request.into);
  const existing = source.kind === "repository" ? undefined : await findRepositoryRoot(wanted);
  const root = existing ?? wanted;
  const findings: MigrationFinding[] = [...source.findings];
  const isConfigured = (await readBounded(join(root, configurationFileName), 1).catch(() => null)) !== null;
  const asked = await cacheAnswers(withMirrors(request, source), directory, root);
  for (const { url, place } of source.mirrors)
    if (!asked.caches.some((cache) => cache.url === url))
      findings.push({
        kind: "todo",
        message: `${url}: where it is a build cache, name it under \`caches:\` with the key that signs it, or migrate with --trust KEYFILE`,
        place,
      });
  const answers = answersOf(source, asked.caches, arch, root);
  expectSound(answers, root);
  if (isConfigured) findings.push(...settingsLeft(answers, root));
  else if (answers.caches.length === 0 && source.mirrors.length === 0)
    findings.push({
      kind: "todo",
      message: "no build cache is named: packages come from one (`caches:`), or Spack builds them (`spack:`)",
      place: { file: join(root, configurationFileName) },
    });
  const definitions = await definitionFiles(source, arch, root, findings);
  await refuseExisting(definitions, root);
  const files = [
    ...(existing === undefined
      ? repositoryFiles(answers).filter(({ path }) => !path.endsWith(".gitkeep"))
      : []),
    ...asked.keys,
    ...definitions,
  ];
  const { created, kept } = await createFiles(root, files, signal);
  const containers = await judge(root, source, { definitions, request, findings });
  return { kind: source.kind, root, created, kept, containers, findings };
}

/** Mirrors of the source become caches if the request names who signs them. */
function withMirrors(request: AskedCaches, { mirrors }: SourceReading): AskedCaches {
  if (request.caches.length > 0 || (request.trust.length === 0 && !request.unsigned)) return request;
  return { ...request, caches: [...new Set(mirrors.map(({ url }) => url))] };
}

function answersOf(
  { settings, kind }: SourceReading,
  caches: ScaffoldAnswers["caches"],
  arch: Architecture,
  root: string,
): ScaffoldAnswers {
  const { base = { kind: "debian", value: "bookworm", packages: undefined } as const, osPackages } = settings;
  const packages =
    osPackages.length === 0 || base.kind === "image"
      ? undefined
      : [...new Set([...defaultBasePackages, ...osPackages])];
  return {
    title: basename(root) === "" ? "Containers" : basename(root),
    caches,
    isDemo: false,
    pipelines: undefined,
    catalogue: false,
    base: { ...base, packages },
    registries: settings.registries,
    labels: settings.labels,
    spack: settings.spack,
    epilogueNetwork: settings.epilogueNetwork,
    strip: settings.strip,
    architectures: kind === "repository" ? [] : [arch],
    example: undefined,
  };
}

/** What a configuration that is there does not say. */
function settingsLeft(answers: ScaffoldAnswers, root: string): readonly MigrationFinding[] {
  const lines = configurationText(answers)
    .split("\n")
    .filter((line) => line !== "" && !line.trimStart().startsWith("#") && line !== "spacktainers: 1");
  return [
    {
      kind: "todo",
      message: `${configurationFileName} is not changed; the source would need: ${lines.map((line) => line.trimEnd()).join(" | ")}`,
      place: { file: join(root, configurationFileName) },
    },
  ];
}

/** The files of definitions that are to be made, relative to the repository. */
async function definitionFiles(
  source: SourceReading,
  arch: Architecture,
  root: string,
  findings: MigrationFinding[],
): Promise<readonly ScaffoldFile[]> {
  if (source.kind === "repository")
    return source.folder === root ? [] : copiedTree(source.folder, "container_definitions", findings);
  const folder = await definitionsFolder(root);
  return source.containers.flatMap(({ name, manifest, epilogue, files }) => {
    const at = (path: string): string => join(folder, arch, name, path);
    return [
      { path: at("spack.yaml"), content: manifest },
      ...(epilogue.length === 0
        ? []
        : [{ path: at("Dockerfile.epilogue"), content: `${epilogue.join("\n")}\n` }]),
      ...files.map((file) => ({ ...file, path: at(file.path) })),
    ];
  });
}

/** Relative to the repository. */
async function definitionsFolder(root: string): Promise<string> {
  const { configuration } = await loadRepository(root);
  return relative(root, configuration.definitions);
}

/** The files of a folder; a link gives the file that it leads to, as long as that is in the source. */
async function copiedTree(
  from: string,
  path: string,
  findings: MigrationFinding[],
): Promise<readonly ScaffoldFile[]> {
  const files: ScaffoldFile[] = [];
  for (const entry of await readdir(join(from, path), { withFileTypes: true })) {
    const inner = join(path, entry.name);
    const place = { file: join(from, inner) };
    if (entry.isDirectory()) {
      files.push(...(await copiedTree(from, inner, findings)));
      continue;
    }
    const file = await realpath(place.file).catch(() => undefined);
    const facts = file === undefined ? undefined : await stat(file);
    if (file === undefined || facts?.isFile() !== true || !file.startsWith(`${await realpath(from)}/`)) {
      findings.push({
        kind: "todo",
        message: "it is not copied: it is not a file of this repository",
        place,
      });
      continue;
    }
    const content = await readBounded(file, longestFile);
    if (content === undefined)
      throw new SpacktainersError("IO", "the file is too large to be part of a definition", { place });
    files.push({ path: inner, content, executable: (facts.mode & 0o100) !== 0 });
  }
  return files;
}

/** A definition of the same name is somebody's work. */
async function refuseExisting(files: readonly ScaffoldFile[], root: string): Promise<void> {
  for (const { path } of files) {
    if (!path.endsWith("/spack.yaml")) continue;
    const found = await readBounded(join(root, path), 1).catch((error: NodeJS.ErrnoException) => error);
    if (found instanceof Error && (found as NodeJS.ErrnoException).code === "ENOENT") continue;
    throw new SpacktainersError("OUTPUT_EXISTS", "the container exists already", {
      place: { file: join(root, path) },
      hint: "--name gives the new one another name",
    });
  }
}

/** What is judged by, and where findings go. */
interface Judging {
  readonly definitions: readonly ScaffoldFile[];
  readonly request: MigrateRequest;
  readonly findings: MigrationFinding[];
}

/** Checks what came out, and asks the caches for it. */
async function judge(
  root: string,
  source: SourceReading,
  { definitions, request, findings }: Judging,
): Promise<readonly MigratedDefinition[]> {
  const own = new Set(definitions.map(({ path }) => join(root, path)));
  const { errors, warnings } = await checkDefinitions({ directory: root, names: [], arch: undefined });
  for (const [kind, problems] of [
    ["todo", errors],
    ["changed", warnings],
  ] as const)
    for (const { message, place, hint } of problems)
      if (source.kind === "repository" || place.file === undefined || own.has(place.file))
        findings.push({ kind, message: hint === undefined ? message : `${message}: ${hint}`, place });
  const { containers, configuration } = await loadRepository(root);
  const migrated = containers.filter(({ path, parked }) =>
    source.kind === "repository" ? !parked : own.has(path),
  );
  const answered: MigratedDefinition[] = [];
  for (const { name, arch, path, kind } of migrated) {
    const text = kind === "spack" ? await readBounded(path, 1 << 20).catch(() => undefined) : undefined;
    const caches =
      text === undefined || configuration.caches.length === 0
        ? undefined
        : await askCaches(text.toString("utf8"), arch, configuration, {
            directory: root,
            caches: [],
            trust: [],
            refresh: false,
            emit: request.emit,
            signal: request.signal,
          });
    const beside = `${dirname(path)}/`;
    const mistakes = errors.filter(
      ({ place }) =>
        place.file === path || (basename(path) === "spack.yaml" && place.file?.startsWith(beside)),
    );
    answered.push({ name, arch, path, caches, errors: mistakes.length });
  }
  return answered;
}
