import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { distributionOfSuite, suiteName } from "../../base/debian/suites.ts";
import {
  type Architecture,
  configurationFileName,
  readConfiguration,
} from "../../definitions/configuration.ts";
import { findRepositoryRoot } from "../../definitions/repository.ts";
import { parseBaseOption } from "../../pipeline/base/baseOption.ts";
import { checkConfiguration } from "../../pipeline/workspace/checkConfiguration.ts";
import { registryAt } from "../../scaffold/configurationText.ts";
import { ignoredPatterns, repositoryFiles } from "../../scaffold/repositoryFiles.ts";
import type { ScaffoldAnswers, ScaffoldBase, ScaffoldFile } from "../../scaffold/types.ts";
import { errorsOf, oneError, SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { expectWritable } from "../../util/expectWritable.ts";
import { readBounded } from "../../util/readBounded.ts";
import { type PipelineHost, writePipelines } from "../ci/writePipelines.ts";
import { type AskedCaches, cacheAnswers } from "./cacheAnswers.ts";
import { createFiles } from "./createFiles.ts";
import { exampleFromCaches } from "./exampleFromCaches.ts";
import { packagedFiles } from "./packagedFiles.ts";

/** What `init` was asked for. */
export interface InitRequest extends AskedCaches {
  /** What relative paths start from. */
  readonly directory: string;
  /** Absolute folder of the repository to be. */
  readonly root: string;
  /** As `--base` has it; a suite alone will do. */
  readonly base: string;
  /** Host of the registry, with its path; undefined: none yet. */
  readonly registry: string | undefined;
  readonly architectures: readonly Architecture[];
  /** Whether to make an example container. */
  readonly example: boolean;
  /** Whether to copy the Dockerfiles of the builder and runtime images. */
  readonly builder: boolean;
  /** Whether to copy the example sites. */
  readonly sites: boolean;
  /** Whose pipelines to write; undefined: none. */
  readonly ci: PipelineHost | undefined;
  /** Whether these publish the catalogue of all containers. */
  readonly catalogue: boolean;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** What `init` did. */
export interface InitResult {
  readonly root: string;
  /** Paths relative to the root. */
  readonly created: readonly string[];
  /** Existing files with other contents, which were not changed. */
  readonly kept: readonly string[];
  /** The example container; undefined if there is none. */
  readonly example: { readonly name: string; readonly command: string | undefined } | undefined;
}

/** The demonstration's container. */
const demonstration = { name: "hello-mpi", specs: ["ring", "mpich"], command: "mpiexec -n 2 ring" } as const;

/**
 * Makes a repository, in an empty folder or in one that has files already: none of them is changed. With a `spacktainers.yaml` that
 * is there, only what goes with any configuration is added.
 *
 * @throws {SpacktainersError} `USAGE`, `CONFIG_INVALID` for answers that make no configuration; errors of writing, after which
 *   nothing of it is left
 */
export async function initRepository(request: InitRequest): Promise<InitResult> {
  const { root, directory, emit, signal } = request;
  await expectFolder(root);
  await expectWritable(join(root, configurationFileName));
  const above = await findRepositoryRoot(root);
  const isConfigured = (await readBounded(join(root, configurationFileName), 1).catch(() => null)) !== null;
  if (above !== undefined && above !== root)
    emit({
      type: "warning",
      code: "NOTICE",
      message: `this folder is inside of the repository ${above}`,
      hint: "inside this folder, the new repository applies",
    });
  if (isConfigured)
    emit({
      type: "warning",
      code: "NOTICE",
      message: `there is a ${configurationFileName} already: init leaves it unchanged and makes no example`,
      place: { file: join(root, configurationFileName) },
    });
  const asked = await cacheAnswers(request, directory, root);
  const isDemo = !isConfigured && request.caches.length === 0 && request.example;
  const answers: ScaffoldAnswers = {
    title: basename(root) === "" ? "Containers" : basename(root),
    caches: isDemo ? [{ url: "demo/cache", trust: ["demo/cache.pub"] }] : asked.caches,
    pipelines: request.ci,
    catalogue: request.catalogue,
    isDemo,
    base: baseAnswer(request.base, directory),
    registries: request.registry === undefined ? [] : [registryAt(request.registry)],
    labels: new Map(),
    spack: undefined,
    epilogueNetwork: false,
    strip: true,
    architectures: request.architectures,
    example: undefined,
  };
  expectSound(answers, root);
  const example = await exampleFor(request, isConfigured);
  const files = [
    ...repositoryFiles({ ...answers, example }),
    ...asked.keys,
    ...(isDemo ? [...(await packagedFiles("demo/cache")), ...(await packagedFiles("demo/cache.pub"))] : []),
    ...(request.builder ? [...(await packagedFiles("builder")), ...(await packagedFiles("runtime"))] : []),
    ...(request.sites ? await packagedFiles("sites") : []),
  ];
  const { created, kept } = await createFiles(root, needed(files, isConfigured), signal);
  if (kept.includes(".gitignore")) await nameMissingPatterns(root, emit);
  const pipelines = request.ci === undefined ? undefined : await pipelineFilesOf(root, request.ci, emit);
  const isMade = example !== undefined && created.some((path) => path.includes(`/${example.name}/`));
  return {
    root,
    created: [...created, ...(pipelines ?? [])],
    kept,
    example: isMade ? { name: example.name, command: example.command } : undefined,
  };
}

/**
 * Writes the pipelines of the repository that was made. An existing file in their place is no reason to take the repository
 * back.
 *
 * @returns paths of those written
 */
async function pipelineFilesOf(
  root: string,
  host: PipelineHost,
  emit: EmitEvent,
): Promise<readonly string[]> {
  try {
    const files = await writePipelines(root, host, { force: false });
    return files.flatMap(({ path, state }) => (state === "written" ? [path] : []));
  } catch (thrown) {
    for (const { code, message, place } of errorsOf(thrown))
      emit({
        type: "warning",
        code,
        message: `no pipelines were written: ${message}`,
        place,
        hint: `\`spacktainers ci ${host}\` writes them`,
      });
    return [];
  }
}

async function exampleFor(
  { example, caches, trust, unsigned, architectures, directory, emit, signal }: InitRequest,
  isConfigured: boolean,
): Promise<ScaffoldAnswers["example"]> {
  if (!example || isConfigured) return undefined;
  if (caches.length === 0) return demonstration;
  return exampleFromCaches({ caches, trust, unsigned, architectures, directory, emit, signal });
}

/** A configured repository has its own definitions, and its own idea of them. */
function needed(files: readonly ScaffoldFile[], isConfigured: boolean): readonly ScaffoldFile[] {
  return isConfigured ? files.filter(({ path }) => !path.startsWith("container_definitions/")) : files;
}

/** The folder itself may be missing; something else in its place is an error. */
async function expectFolder(root: string): Promise<void> {
  const found = await stat(root).catch(() => undefined);
  if (found !== undefined && !found.isDirectory())
    throw new SpacktainersError("USAGE", "this is not a folder", { place: { file: root } });
}

/**
 * What lies underneath, as `--base` has it.
 *
 * @throws {SpacktainersError} `USAGE`, `BASE_INVALID`
 */
export function baseAnswer(text: string, directory: string): ScaffoldBase {
  const distribution = text.includes(":") ? undefined : distributionOfSuite(text);
  const configured = { kind: "scratch" } as const;
  const base = parseBaseOption(
    distribution === undefined ? text : `${distribution}:${text}`,
    configured,
    directory,
  );
  if (base.kind === "image") return { kind: "image", value: base.reference, packages: undefined };
  if (base.kind !== "debian")
    throw new SpacktainersError("USAGE", `a repository cannot start with the base ${text}`, {
      hint: "write a suite of Debian or Ubuntu, or image:NAME; others are set in spacktainers.yaml",
    });
  return { kind: base.distribution, value: suiteName(base.distribution, base.suite), packages: undefined };
}

/** What the answers make must be a configuration, before a file is written. */
export function expectSound(answers: ScaffoldAnswers, root: string): void {
  const [file] = repositoryFiles(answers);
  const text = typeof file?.content === "string" ? file.content : "";
  const reading = readConfiguration(text, join(root, configurationFileName), root);
  const errors = [
    ...reading.problems.errors,
    ...(reading.configuration === undefined ? [] : checkConfiguration(reading.configuration)),
  ].map(
    ({ code, message, hint }) => new SpacktainersError(code, message, hint === undefined ? {} : { hint }),
  );
  if (errors.length > 0) throw oneError(errors);
}

/** What an existing `.gitignore` should have, too. */
async function nameMissingPatterns(root: string, emit: EmitEvent): Promise<void> {
  const file = join(root, ".gitignore");
  const bytes = await readBounded(file, 1 << 20).catch(() => undefined);
  const lines = new Set((bytes?.toString("utf8") ?? "").split("\n").map((line) => line.trim()));
  const missing = ignoredPatterns.filter((pattern) => !lines.has(pattern));
  if (missing.length > 0)
    emit({
      type: "warning",
      code: "NOTICE",
      message: `.gitignore is left unchanged; it lacks ${missing.join(", ")}`,
      place: { file },
    });
}
