/** `ci github`, `ci gitlab`, `ci check`: the files of pipelines, written or compared. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseCiPlan } from "../../ci/ciPlan.ts";
import { githubFiles, githubWorkflows } from "../../ci/githubWorkflow.ts";
import { gitlabChild, gitlabFile, gitlabPipeline } from "../../ci/gitlabPipeline.ts";
import { lineDiff } from "../../ci/lineDiff.ts";
import { makePipeline, type Pipeline } from "../../ci/pipeline.ts";
import { secretsPage, secretsPages } from "../../ci/secretsPage.ts";
import { type Repository, readTextFile } from "../../definitions/repository.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { writeFileAtomically } from "../../util/atomicFile.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { toolVersion } from "../../util/toolVersion.ts";
import { planFile } from "./planPipeline.ts";
import { environmentNamed } from "./publishImages.ts";

/** Who runs pipelines. */
export const pipelineHosts = ["github", "gitlab"] as const;
export type PipelineHost = (typeof pipelineHosts)[number];

const longestFile = 16 * 2 ** 20;
/** Lines of a difference that are shown. */
const mostDifference = 40;

/** A file of a pipeline, and what became of it. */
export interface PipelineFile {
  /** Relative to the repository's root. */
  readonly path: string;
  readonly state: "written" | "unchanged";
}

/**
 * Writes the files of a repository's pipelines.
 *
 * @throws SpacktainersError OUTPUT_EXISTS for an existing file that spacktainers did not write; errors of the configuration
 */
export async function writePipelines(
  directory: string,
  host: PipelineHost,
  { force }: { readonly force: boolean },
): Promise<readonly PipelineFile[]> {
  const repository = await openSoundRepository(directory);
  const files = await pipelineFiles(repository, host);
  const found = new Map<string, string | undefined>();
  for (const path of files.keys()) {
    const text = await textOf(join(repository.root, path));
    found.set(path, text);
    if (text !== undefined && !isOurs(text) && !force)
      throw new SpacktainersError("OUTPUT_EXISTS", "this file was not written by `ci`", {
        place: { file: join(repository.root, path) },
        hint: "--force replaces it",
      });
  }
  const written: PipelineFile[] = [];
  for (const [path, text] of files) {
    const same = found.get(path) === text;
    if (!same) await writeFileAtomically(join(repository.root, path), text);
    written.push({ path, state: same ? "unchanged" : "written" });
  }
  return written;
}

/**
 * The child pipeline of a plan, for GitLab.
 *
 * @param folder the one that `ci plan` wrote
 * @param env `CI_PIPELINE_ID`: the pipeline that it belongs to; `ENVIRONMENT`: where it publishes; default that of requests
 * @throws SpacktainersError USAGE for an environment that there is not, or a pipeline that has no number
 */
export async function childPipeline(
  directory: string,
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const repository = await openSoundRepository(directory);
  const file = join(folder, planFile);
  const plan = parseCiPlan(await readTextFile(file, longestFile * 4), file);
  const { configuration } = repository;
  const pipeline = env.CI_PIPELINE_ID || "0";
  if (!/^\d+$/.test(pipeline)) throw new SpacktainersError("USAGE", "CI_PIPELINE_ID is not a number");
  const environment = environmentNamed(
    configuration.ci,
    env.ENVIRONMENT || configuration.ci.pullRequests,
  ).name;
  return gitlabChild(await pipelineOf(repository), configuration, {
    plan,
    version: toolVersion(),
    parent: {
      pipeline,
      environment,
    },
  });
}

/** The pipelines that a repository has, and whether they are as they would be written now. */
export async function presentPipelines(
  directory: string,
): Promise<readonly { readonly host: PipelineHost; readonly isCurrent: boolean }[]> {
  const repository = await openSoundRepository(directory);
  const present: { readonly host: PipelineHost; readonly isCurrent: boolean }[] = [];
  for (const host of pipelineHosts) {
    if (!(await hasPipelines(repository.root, host))) continue;
    let isCurrent = true;
    for (const [path, text] of await pipelineFiles(repository, host))
      isCurrent &&= (await textOf(join(repository.root, path))) === text;
    present.push({ host, isCurrent });
  }
  return present;
}

/** What `ci check` found. */
export interface PipelineCheck {
  /** Host of the pipelines. */
  readonly hosts: readonly PipelineHost[];
  /** Files that are up to date. */
  readonly files: readonly string[];
  readonly errors: readonly SpacktainersError[];
}

/**
 * Compares the files of a repository's pipelines with what would be written, and looks for secrets that no page documents.
 *
 * @throws SpacktainersError NOT_FOUND without any
 */
export async function checkPipelines(directory: string): Promise<PipelineCheck> {
  const repository = await openSoundRepository(directory);
  const hosts: PipelineHost[] = [];
  for (const host of pipelineHosts) if (await hasPipelines(repository.root, host)) hosts.push(host);
  if (hosts.length === 0)
    throw new SpacktainersError("NOT_FOUND", "the repository has no pipelines", {
      place: { file: repository.root },
      hint: "`spacktainers ci github` or `spacktainers ci gitlab` writes them",
    });
  const files: string[] = [];
  const errors: SpacktainersError[] = [];
  for (const host of hosts) {
    const wanted = await pipelineFiles(repository, host);
    for (const [path, text] of wanted) {
      const problem = differenceOf(
        join(repository.root, path),
        await textOf(join(repository.root, path)),
        text,
        host,
      );
      if (problem === undefined) files.push(path);
      else errors.push(problem);
    }
    if (host === "github") errors.push(...(await staleWorkflows(repository.root, wanted)));
    if (host === "github") errors.push(...(await undocumentedSecrets(repository, [...wanted.keys()])));
  }
  return { hosts, files, errors };
}

/** Workflows that are only written if the configuration asks for them. */
const askedFor = [
  [githubFiles.rebase, "remove it, or let `ci: rebase:` say when it runs"],
  [githubFiles.catalogue, "remove it, or write `ci: { catalogue: true }`"],
] as const;

/** Workflows that Spacktainers wrote earlier, and would not write now. */
async function staleWorkflows(
  root: string,
  wanted: ReadonlyMap<string, string>,
): Promise<readonly SpacktainersError[]> {
  const errors: SpacktainersError[] = [];
  for (const [path, hint] of askedFor) {
    const file = join(root, path);
    const text = wanted.has(path) ? undefined : await textOf(file);
    if (text !== undefined && isOurs(text))
      errors.push(
        new SpacktainersError("CONFIG_INVALID", "the configuration no longer has this workflow", {
          place: { file },
          hint,
        }),
      );
  }
  return errors;
}

async function hasPipelines(root: string, host: PipelineHost): Promise<boolean> {
  const paths = host === "github" ? Object.values(githubFiles) : [gitlabFile];
  for (const path of [...paths, secretsPages[host]]) {
    const text = await textOf(join(root, path));
    if (text !== undefined && isOurs(text)) return true;
  }
  return false;
}

function differenceOf(
  file: string,
  found: string | undefined,
  wanted: string,
  host: PipelineHost,
): SpacktainersError | undefined {
  if (found === wanted) return undefined;
  const hint = `\`spacktainers ci ${host}\` writes it`;
  if (found === undefined)
    return new SpacktainersError("CONFIG_INVALID", "the file is missing", { place: { file }, hint });
  const lines = lineDiff(found, wanted);
  const line = Number(/^@@ (\d+)/.exec(lines[0] ?? "")?.[1] ?? 1);
  const more = lines.length - mostDifference;
  return new SpacktainersError("CONFIG_INVALID", "the file is out of date", {
    place: { file, line, column: 1 },
    hint: `${hint}; the lines with + would be added, those with - removed`,
    example: more > 0 ? [...lines.slice(0, mostDifference), `… ${more} more lines`] : lines,
  });
}

/** Secrets and variables that workflows take and that are in no table. */
async function undocumentedSecrets(
  repository: Repository,
  generated: readonly string[],
): Promise<readonly SpacktainersError[]> {
  const { root, configuration } = repository;
  const { secrets } = await pipelineOf(repository);
  const known = new Set([
    "GITHUB_TOKEN",
    ...secrets.map(({ name }) => name),
    ...configuration.ci.secrets.keys(),
  ]);
  const folder = join(root, ".github/workflows");
  const names = (await readdir(folder).catch(() => [])).filter((name) => /\.ya?ml$/.test(name)).sort();
  const errors: SpacktainersError[] = [];
  for (const name of names) {
    if (generated.includes(`.github/workflows/${name}`)) continue;
    const text = (await textOf(join(folder, name))) ?? "";
    const told = new Set<string>();
    for (const [index, line] of text.split("\n").entries())
      for (const match of line.matchAll(/\b(secrets|vars)(?:\.|\[\s*')([A-Za-z_][A-Za-z0-9_]*)/g)) {
        const secret = match[2] ?? "";
        if (known.has(secret) || told.has(secret) || line.trimStart().startsWith("#")) continue;
        told.add(secret);
        errors.push(
          new SpacktainersError("CONFIG_INVALID", `the secret or variable ${secret} is not documented`, {
            place: { file: join(folder, name), line: index + 1, column: match.index + 1 },
            hint: `write what it is for in spacktainers.yaml: ci: { secrets: { ${secret}: … } }`,
          }),
        );
      }
  }
  return errors;
}

async function pipelineFiles(
  repository: Repository,
  host: PipelineHost,
): Promise<ReadonlyMap<string, string>> {
  const pipeline = await pipelineOf(repository);
  const { configuration } = repository;
  const version = toolVersion();
  const files = new Map(
    host === "github"
      ? githubWorkflows(pipeline, configuration, version)
      : [[gitlabFile, gitlabPipeline(pipeline, configuration, version)] as const],
  );
  return files.set(secretsPages[host], secretsPage(host, pipeline, configuration));
}

/** The pipelines of a repository. */
export async function pipelineOf({ root, configuration, containers, broken }: Repository): Promise<Pipeline> {
  const baseImages: ("builder" | "runtime")[] = [];
  for (const name of ["builder", "runtime"] as const)
    if ((await stat(join(root, name, "Dockerfile")).catch(() => undefined))?.isFile()) baseImages.push(name);
  const definitions = [...containers.filter(({ parked }) => !parked), ...broken];
  return makePipeline({ configuration, definitions, baseImages });
}

function isOurs(text: string): boolean {
  return /^(?:#|<!--) Written by `spacktainers ci (?:github|gitlab)`/.test(text);
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readTextFile(path, longestFile);
  } catch (error) {
    if (error instanceof SpacktainersError && error.code !== "NOT_FOUND") throw error;
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    if (error instanceof SpacktainersError) return undefined;
    throw error;
  }
}
