/** Finding out what a source is, and reading it. */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { containerNameFrom } from "../../definitions/findDefinitions.ts";
import { yamlLimits } from "../../definitions/positionedYaml.ts";
import { readTextFile } from "../../definitions/repository.ts";
import { hasWildcards, pathMatcher } from "../../dockerfile/pathPattern.ts";
import { asSpacktainersError, type Place, SpacktainersError } from "../../util/errors.ts";
import { readBounded } from "../../util/readBounded.ts";
import { readContainerSection } from "./containerSection.ts";
import type { StagedFile } from "./dockerfileDraft.ts";
import { withAdditions } from "./manifestAdditions.ts";
import { type BesideFile, type FindingList, findingList, type Migration } from "./migration.ts";
import { readDockerfile } from "./readDockerfile.ts";
import { readOriginal } from "./readOriginal.ts";

/** What a source turned out to be. */
export interface SourceReading extends Migration {
  readonly kind: "repository" | "manifest" | "dockerfile";
  /** The source's folder, absolute. */
  readonly folder: string;
  readonly mirrors: readonly { readonly url: string; readonly place: Place }[];
  /** Of a repository, its definitions: absolute paths. */
  readonly definitions: readonly string[];
}

/** Bounds of what is copied beside a definition. */
const mostFiles = 500;
const longestFile = 16 << 20;

/**
 * Reads a source.
 *
 * @param path absolute: a folder, a `spack.yaml` or a Dockerfile
 * @param name of the container to be; undefined: that of the folder
 * @throws {SpacktainersError} `NOT_FOUND`, `USAGE` for what is none of these; `MANIFEST_INVALID`, `DEFINITION_INVALID`
 */
export async function readSource(path: string, name: string | undefined): Promise<SourceReading> {
  const { kind, file } = await kindOf(path);
  if (kind === "repository") {
    const { definitions, ...rest } = await readOriginal(path);
    return { kind, folder: path, definitions, ...rest };
  }
  const folder = dirname(file);
  const list = findingList();
  const reading =
    kind === "manifest" ? await readManifestSource(file, list) : await readDockerfileSource(file, list);
  const { mirrors, settings, ...container } = reading;
  return {
    kind,
    folder,
    definitions: [],
    mirrors,
    settings,
    containers: [{ name: name ?? usualName(file), ...container }],
    findings: list.findings,
  };
}

async function kindOf(
  path: string,
): Promise<{ readonly kind: SourceReading["kind"]; readonly file: string }> {
  const facts = await stat(path).catch((error: unknown) => {
    throw asSpacktainersError(error, { file: path });
  });
  if (!facts.isDirectory()) return { kind: /\.ya?ml$/.test(path) ? "manifest" : "dockerfile", file: path };
  const names = new Set(await readdir(path));
  if (names.has("container_definitions")) return { kind: "repository", file: path };
  const dockerfile = names.has("Dockerfile") ? join(path, "Dockerfile") : undefined;
  if (names.has("spack.yaml")) {
    const file = join(path, "spack.yaml");
    const hasSection = /^\s+container:/m.test(await readTextFile(file, yamlLimits.bytes).catch(() => ""));
    return hasSection || dockerfile === undefined
      ? { kind: "manifest", file }
      : { kind: "dockerfile", file: dockerfile };
  }
  if (dockerfile !== undefined) return { kind: "dockerfile", file: dockerfile };
  throw new SpacktainersError("USAGE", "this folder has nothing to migrate", {
    place: { file: path },
    hint: "a repository has container_definitions/; else a spack.yaml or a Dockerfile is looked for",
  });
}

/** `Dockerfile.solver` and `solver.Dockerfile` name their container, others are named by their folder. */
function usualName(file: string): string {
  const [, behind, before] = /^(?:Dockerfile\.(.+)|(.+)\.Dockerfile)$/i.exec(basename(file)) ?? [];
  const stem =
    behind ??
    before ??
    (/^(?:spack|Dockerfile)/i.test(basename(file))
      ? basename(dirname(file))
      : basename(file).replace(/\.\w+$/, ""));
  return containerNameFrom(stem);
}

interface ContainerReading extends Omit<SourceReading["containers"][number], "name"> {
  readonly mirrors: SourceReading["mirrors"];
  readonly settings: SourceReading["settings"];
}

async function readManifestSource(file: string, list: FindingList): Promise<ContainerReading> {
  const text = await readTextFile(file, yamlLimits.bytes).catch((error: unknown) => {
    throw asSpacktainersError(error, { file });
  });
  const { manifest, settings, epilogue, mirrors, includes } = readContainerSection(text, file, list);
  list.taken("the environment: specs and settings of packages, word for word", { file, line: 1, column: 1 });
  const folder = dirname(file);
  const files: BesideFile[] = [];
  const lock = await readBounded(join(folder, "spack.lock"), longestFile).catch(() => undefined);
  if (lock !== undefined) {
    files.push({ path: "spack.lock", content: lock });
    list.taken("the lock: the packages that it names are used", { file: join(folder, "spack.lock") });
  }
  for (const { path, place } of includes) {
    const reason = await copyBeside(folder, path, files);
    if (reason === undefined) list.taken(`${path}: it is included`, place);
    else list.todo(`${path} is not copied: ${reason}; it is included`, place);
  }
  return { manifest, epilogue, files, mirrors, settings };
}

async function readDockerfileSource(file: string, list: FindingList): Promise<ContainerReading> {
  const text = await readTextFile(file, yamlLimits.bytes).catch((error: unknown) => {
    throw asSpacktainersError(error, { file });
  });
  const folder = dirname(file);
  const { manifests, specs, configuration, copies, mirrors, settle } = readDockerfile(text, file, list);
  const found = await stagedManifest(manifests, folder, list);
  if (found === undefined && specs.length === 0)
    throw new SpacktainersError(
      "DEFINITION_INVALID",
      "the Dockerfile does not say which packages it installs",
      {
        place: { file },
        hint: "write them into a spack.yaml, or: spacktainers add NAME SPEC",
      },
    );
  const files: BesideFile[] = [];
  const missing = new Map<string, string>();
  for (const { path, place } of copies) {
    const reason = await copyBeside(folder, path, files);
    if (reason === undefined) list.taken(`${path}: the epilogue copies it`, place);
    else missing.set(path, reason);
  }
  const { settings, epilogue } = settle(missing);
  return {
    manifest: withAdditions(found?.manifest, specs, configuration, list),
    epilogue,
    files,
    mirrors: [...mirrors, ...(found?.mirrors ?? [])],
    settings,
  };
}

/** The manifest that a Dockerfile writes or copies. */
async function stagedManifest(
  staged: readonly StagedFile[],
  folder: string,
  list: FindingList,
): Promise<{ readonly manifest: string; readonly mirrors: SourceReading["mirrors"] } | undefined> {
  let found: { readonly manifest: string; readonly mirrors: SourceReading["mirrors"] } | undefined;
  for (const one of staged) {
    const file = one.kind === "context" ? join(folder, one.path) : (one.place.file ?? folder);
    if (relative(folder, file).startsWith("..")) continue;
    const text =
      one.kind === "text" ? one.content : await readTextFile(file, yamlLimits.bytes).catch(() => undefined);
    if (text === undefined) continue;
    if (found !== undefined) {
      list.todo("this is another environment: migrate its spack.yaml by itself", one.place);
      continue;
    }
    const { manifest, mirrors } = readContainerSection(text, file, findingList());
    list.taken(
      one.kind === "text" ? "the environment that it writes" : `the environment of ${one.path}`,
      one.kind === "text" ? one.place : { file, line: 1, column: 1 },
    );
    found = { manifest, mirrors };
  }
  return found;
}

/**
 * Copies a file or a folder beside the definition, at the same path; for a pattern, what matches.
 *
 * @returns why not; undefined: it is there
 */
async function copyBeside(folder: string, path: string, files: BesideFile[]): Promise<string | undefined> {
  const inner = relative(folder, join(folder, path));
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(path) || path.includes("$")) return "it is not a plain path";
  if (inner.startsWith("..")) return "it is outside of the folder";
  if (inner === "")
    return "it is the whole folder: put the files that the image needs next to the definition";
  const before = files.length;
  const add = async (at: string): Promise<string | undefined> => {
    if (files.length - before > mostFiles) return "there are too many files in it";
    const facts = await stat(join(folder, at)).catch(() => undefined);
    if (facts === undefined) return "it is not there";
    if (!facts.isDirectory()) {
      const content = await readBounded(join(folder, at), longestFile).catch(() => undefined);
      if (content === undefined) return `${at} is too large, or no file`;
      if (!files.some((file) => file.path === at))
        files.push({ path: at, content, executable: (facts.mode & 0o100) !== 0 });
      return undefined;
    }
    for (const name of (await readdir(join(folder, at))).sort()) {
      const trouble = await add(join(at, name));
      if (trouble !== undefined) return trouble;
    }
    return undefined;
  };
  let trouble: string | undefined;
  if (hasWildcards(inner)) {
    const matches = pathMatcher(inner);
    const names = (await readdir(join(folder, dirname(inner))).catch(() => [])).sort();
    const found = names.map((name) => join(dirname(inner), name)).filter((at) => matches?.(at) === true);
    if (found.length === 0) trouble = "nothing has this name";
    for (const at of found) trouble ??= await add(at);
  } else trouble = await add(inner);
  if (trouble !== undefined) files.length = before;
  return trouble;
}
