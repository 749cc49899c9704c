/** Workflows of the original kind: what they build, where they publish, which secrets they use. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { didYouMean } from "../../definitions/nearest.ts";
import { readTextFile } from "../../definitions/repository.ts";
import { registryAt } from "../../scaffold/configurationText.ts";
import type { ScaffoldRegistry } from "../../scaffold/types.ts";
import type { Place } from "../../util/errors.ts";
import type { FindingList } from "./migration.ts";

/** What was found. */
export interface Pipelines {
  readonly registries: readonly ScaffoldRegistry[];
  readonly mirrors: readonly { readonly url: string; readonly place: Place }[];
}

const longestFile = 1 << 20;

/** What becomes of a secret, by its name. */
const secrets: readonly (readonly [pattern: RegExp, kind: "changed" | "todo", message: string])[] = [
  [
    /^AWS_CACHE_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|ACCESS_KEY_SECRET)$/,
    "changed",
    "stays: the credentials of the build cache",
  ],
  [/^AWS_INFRASTRUCTURE_/, "changed", "stays: the credentials of the bucket with SIF files"],
  [/^AWS_CACHE_BUCKET$/, "todo", "need not be one: write the bucket into `caches:` of spacktainers.yaml"],
  [
    /^AWS_ECR_URL$/,
    "todo",
    "need not be one: write the address into `registries:` of spacktainers.yaml (`type: ecr`)",
  ],
  [/^AWS_ECR_/, "changed", "stays: the credentials of ECR, which AWS's own variables or OIDC give"],
  [
    /^S3_(?:SINGULARITY_BUCKET|CONTAINER_ROOT)$/,
    "todo",
    "need not be one: `spacktainers sif push FILE s3://…` names the bucket",
  ],
  [/^GHCR_(?:USER|TOKEN)$/, "changed", "stays: the login of ghcr.io"],
  [
    /^DOCKERHUB_/,
    "changed",
    "is the login of Docker Hub, for bases that are images: `docker login`, or an auth file",
  ],
  [
    /^SPACK_DEPLOYMENT_KEY_PUB/,
    "todo",
    "need not be one: write the public key to keys/, and name it by `trust:` of the cache",
  ],
  [
    /^SPACK_DEPLOYMENT_KEY_PRIVATE$/,
    "changed",
    "stays: the key that signs what is built; it goes into no image",
  ],
  [/^GITLAB_API_TOKEN$/, "changed", "is not needed any more"],
  [/^GITHUB_TOKEN$/, "changed", "stays: GitHub gives it by itself"],
];

/**
 * Reads the workflows of GitHub and the pipeline of GitLab. They are left as they are.
 *
 * @param definitions names of the containers that have one, and of those among them that are not parked
 */
export async function readPipelines(
  root: string,
  { names, unparked }: { readonly names: ReadonlySet<string>; readonly unparked: ReadonlySet<string> },
  list: FindingList,
): Promise<Pipelines> {
  const registries = new Map<string, ScaffoldRegistry>();
  const mirrors: { readonly url: string; readonly place: Place }[] = [];
  const told = new Set<string>();
  for (const file of await pipelineFiles(root)) {
    const text = await readTextFile(file, longestFile).catch(() => undefined);
    if (text === undefined) {
      list.todo("this file cannot be read", { file });
      continue;
    }
    const isGitHub = file.includes("/.github/");
    list.todo(
      `this pipeline is left as it is; \`spacktainers ci ${isGitHub ? "github" : "gitlab"}\` writes one in its place`,
      { file, line: 1, column: 1 },
    );
    for (const [index, line] of text.split("\n").entries()) {
      const place = (column: number): Place => ({ file, line: index + 1, column });
      for (const match of line.matchAll(/\bsecrets\.([A-Z][A-Z0-9_]*)/g)) {
        const [, name = ""] = match;
        if (told.has(name)) continue;
        told.add(name);
        const known = secrets.find(([pattern]) => pattern.test(name));
        if (known === undefined)
          list.todo(`the secret ${name} is not known: see what uses it`, place(match.index + 1));
        else list[known[1]](`the secret ${name} ${known[2]}`, place(match.index + 1));
      }
      for (const match of line.matchAll(/\bghcr\.io\/([A-Za-z0-9][\w.-]*)\/spack-/g)) {
        const registry = registryAt(`ghcr.io/${(match[1] ?? "").toLowerCase()}`);
        if (registries.has(registry.url)) continue;
        registries.set(registry.url, registry);
        list.taken(`the registry ${registry.url}`, place(match.index + 1));
      }
      for (const match of line.matchAll(/\b\d{12}\.dkr\.ecr\.[\w-]+\.amazonaws\.com\b/g)) {
        if (registries.has(match[0])) continue;
        registries.set(match[0], registryAt(match[0]));
        list.taken(`the registry ${match[0]}`, place(match.index + 1));
      }
      for (const match of line.matchAll(/\bCACHE_BUCKET["']?\s*[:=]\s*["']?(s3:\/\/[\w./-]+)/g))
        mirrors.push({ url: match[1] ?? "", place: place(match.index + 1) });
      for (const { name, column } of matrixNames(line)) {
        if (names.has(name)) continue;
        const hint = didYouMean(name, [...names]);
        list.todo(
          `the matrix names ${name}, which has no definition${hint === undefined ? "" : `: ${hint}`}`,
          place(column),
        );
      }
    }
    readMatrix(text, file, unparked, list);
  }
  return { registries: [...registries.values()], mirrors };
}

/** Names in a list of one line: `container: [a, b]`, or JSON in quotes. */
function matrixNames(line: string): readonly { readonly name: string; readonly column: number }[] {
  const [whole, key = "", items] =
    /^(\s*(?:-\s*)?["']?[\w-]*(?:container|image|name)s?[\w-]*["']?\s*[:=]\s*['"]?)\[([^\]$]*)\]/i.exec(
      line,
    ) ?? [];
  if (whole === undefined || items === undefined) return [];
  return [...items.matchAll(/[a-z0-9][\w.-]*/g)].map((match) => ({
    name: match[0],
    column: key.length + 2 + match.index,
  }));
}

/** What a matrix builds of all that there is. */
function readMatrix(text: string, file: string, names: ReadonlySet<string>, list: FindingList): void {
  for (const [index, line] of text.split("\n").entries()) {
    const found = matrixNames(line).filter(({ name }) => names.has(name));
    if (found.length === 0) continue;
    const rest = [...names].filter((name) => !found.some((one) => one.name === name)).sort();
    list.changed(
      `the matrix of ${found.length} containers: \`build\` and \`push\` find all definitions${rest.length === 0 ? "" : `, these too: ${rest.join(", ")}`}; park those that are not to be built in a folder that begins with _`,
      { file, line: index + 1, column: 1 },
    );
  }
}

async function pipelineFiles(root: string): Promise<readonly string[]> {
  const folder = join(root, ".github/workflows");
  const workflows = (await readdir(folder).catch(() => [])).filter((name) => /\.ya?ml$/.test(name)).sort();
  const gitlab = (await readdir(root).catch(() => [])).filter((name) => /^\.gitlab-ci\.ya?ml$/.test(name));
  return [...workflows.map((name) => join(folder, name)), ...gitlab.map((name) => join(root, name))];
}
