/** A repository of the original kind: container definitions, Dockerfiles of builder and runtime, workflows. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { findDefinitions } from "../../definitions/findDefinitions.ts";
import { readTextFile } from "../../definitions/repository.ts";
import { baseOfImage, baseText } from "../../pipeline/base/baseOfImage.ts";
import type { ScaffoldBase, ScaffoldSpack } from "../../scaffold/types.ts";
import { errorsOf, type Place } from "../../util/errors.ts";
import { usesNetwork } from "./containerSection.ts";
import { type DockerStage, dockerfileStages, expand } from "./dockerfileStages.ts";
import { type FindingList, findingList, type Migration } from "./migration.ts";
import { installedPackages } from "./osPackages.ts";
import { readPipelines } from "./readPipelines.ts";
import { shellCommands } from "./shellCommands.ts";
import { takeSpackRef } from "./spackRef.ts";

/** Longest file read, in bytes. */
const longestFile = 1 << 20;

/** What was made of a repository: its definitions stay as they are. */
export interface OriginalRepository extends Migration {
  /** Addresses of caches that are named, and where. */
  readonly mirrors: readonly { readonly url: string; readonly place: Place }[];
  /** Its definitions, relative to its folder. */
  readonly definitions: readonly string[];
}

/**
 * Reads a repository. Nothing is written.
 *
 * @param root absolute folder with `container_definitions`
 */
export async function readOriginal(root: string): Promise<OriginalRepository> {
  const list = findingList();
  const builder = await stagesOf(root, "builder/Dockerfile", list);
  const runtime = await stagesOf(root, "runtime/Dockerfile", list);
  const { base, packages } = readRuntime(runtime, list);
  const spack = readBuilder(builder, list);
  const definitions = await readDefinitions(root, list);
  const pipelines = await readPipelines(root, definitions, list);
  const mirrors = [...bucketsOf(builder), ...pipelines.mirrors];
  return {
    containers: [],
    settings: {
      base,
      osPackages: packages,
      labels: new Map(),
      registries: pipelines.registries,
      spack,
      epilogueNetwork: definitions.usesNetwork,
      strip: true,
    },
    mirrors,
    definitions: definitions.paths,
    findings: list.findings,
  };
}

async function stagesOf(root: string, path: string, list: FindingList): Promise<readonly DockerStage[]> {
  const file = join(root, path);
  try {
    return dockerfileStages(await readTextFile(file, longestFile), file);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return [];
    for (const { message, place } of errorsOf(thrown, { file })) list.todo(message, place);
    return [];
  }
}

/** The runtime image: what lies underneath. */
function readRuntime(
  stages: readonly DockerStage[],
  list: FindingList,
): { readonly base: ScaffoldBase | undefined; readonly packages: readonly string[] } {
  const stage = stages.at(-1);
  if (stage === undefined) return { base: undefined, packages: [] };
  const { base } = baseOfImage(stage.from);
  list.taken(`the base is ${baseText(base)}`, stage.place);
  const packages: string[] = [];
  for (const one of stage.instructions) {
    if (one.keyword === "RUN")
      for (const command of shellCommands(one.text, stage.variables))
        packages.push(...(installedPackages(command) ?? []).flatMap((name) => name.split(/\s+/)));
    if (one.keyword === "COPY" && !/--from=/.test(one.text))
      list.todo("a file that the runtime image brought: copy it in a Dockerfile.epilogue", one.place);
  }
  const names = packages.filter((name) => /^[a-z0-9][a-z0-9.+-]*$/.test(name));
  if (names.length > 0) list.taken(`OS packages underneath: ${names.join(", ")}`, stage.place);
  return { base, packages: names };
}

/** The builder image: which Spack, with which recipes. */
function readBuilder(stages: readonly DockerStage[], list: FindingList): ScaffoldSpack | undefined {
  let spack: ScaffoldSpack | undefined;
  const clones: { readonly url: string; readonly ref: string | undefined; readonly place: Place }[] = [];
  const paths: string[] = [];
  for (const stage of stages) {
    const branch = stage.variables.get("SPACK_BRANCH");
    const argument = stage.instructions.find(
      ({ keyword, text }) => keyword === "ARG" && /^SPACK_BRANCH=/.test(text.trim()),
    );
    if (branch !== undefined) spack = takeSpackRef(branch, argument?.place ?? stage.place, list) ?? spack;
    for (const one of stage.instructions) {
      if (one.keyword === "COPY" && /\bkey\b|\.key\b|spack_key/.test(one.text))
        list.changed(
          "a signing key is copied into the image: here it is a secret that one command sees, or the variable SPACK_DEPLOYMENT_KEY_PRIVATE",
          one.place,
        );
      if (one.keyword === "ONBUILD" && /\bCOPY\b.*key/.test(one.text))
        list.changed("the signing key is copied into a layer: here no image has it", one.place);
      if (one.keyword !== "RUN") continue;
      const text = expand(one.text, stage.variables);
      for (const [, options = "", url = ""] of text.matchAll(
        /git clone((?:\s+-{1,2}\S+(?:\s+(?!https?:|git@|ssh:)[\w./-]+)?)*)\s+(\S+)/g,
      )) {
        const [, ref] = /(?:--branch[= ]|-b )(\S+)/.exec(options) ?? [];
        if (!/\/spack\/spack(?:\.git)?$/.test(url)) clones.push({ url, ref, place: one.place });
      }
      for (const [, path = ""] of text.matchAll(
        /spack\s+(?:-\S+\s+)*repo\s+add\s+(?:-\S+(?:=\S+)?\s+)*(\S+)/g,
      ))
        paths.push(path);
      const [, repositories] = /REPOS_BRANCH/.test(one.text)
        ? [undefined, stage.variables.get("REPOS_BRANCH")]
        : [];
      const last = clones.at(-1);
      if (repositories !== undefined && last !== undefined && last.ref === undefined)
        clones[clones.length - 1] = { ...last, ref: repositories };
    }
  }
  const repos = clones.flatMap(({ url, ref, place }) => {
    const folder = url
      .replace(/\/+$/, "")
      .replace(/^.*[/:]/, "")
      .replace(/\.git$/, "");
    const own = paths.filter((path) => path.includes("/opt/spack-repos/") || path.includes(folder));
    if (own.length === 0)
      list.todo(`recipes of ${url}: name the folder with repo.yaml by \`spack: repos:\``, place);
    else list.taken(`recipes of ${url}: ${own.map(shortPath).join(", ")}`, place);
    return own.map((path) => ({ url, ref, path: shortPath(path) }));
  });
  return spack === undefined ? undefined : { ...spack, repos };
}

/** The folder in a clone. */
function shortPath(path: string): string {
  return path.replace(/^\/opt\/spack-repos\//, "").replace(/^\.?\//, "");
}

/** A bucket that the builder names itself. */
function bucketsOf(
  stages: readonly DockerStage[],
): readonly { readonly url: string; readonly place: Place }[] {
  return stages.flatMap(({ variables, instructions, place }) => {
    const bucket = variables.get("CACHE_BUCKET")?.trim() ?? "";
    if (bucket === "" || bucket.includes("$")) return [];
    const one = instructions.find(({ text }) => text.includes("CACHE_BUCKET"));
    return [{ url: /:\/\//.test(bucket) ? bucket : `s3://${bucket}`, place: one?.place ?? place }];
  });
}

interface FoundDefinitions {
  readonly names: ReadonlySet<string>;
  /** Those that are built without being named. */
  readonly unparked: ReadonlySet<string>;
  readonly paths: readonly string[];
  readonly usesNetwork: boolean;
}

/** The definitions, which stay as they are. */
async function readDefinitions(root: string, list: FindingList): Promise<FoundDefinitions> {
  const found = await findDefinitions(join(root, "container_definitions"));
  for (const { message, place, hint } of [
    ...found.errors,
    ...(found.unreadable === undefined ? [] : [found.unreadable]),
  ])
    list.todo(hint === undefined ? message : `${message}: ${hint}`, place);
  let network = false;
  for (const { name, arch, kind, path, parked, epilogue } of found.containers) {
    const what =
      kind === "def"
        ? "a definition file of Apptainer"
        : /\/spack\.yaml$/.test(path)
          ? "a folder"
          : "a flat file";
    const place = { file: path, line: 1, column: 1 };
    list.taken(
      `${arch}/${name}: ${what}${parked ? ", parked: it is not built unless it is named" : ""}`,
      place,
    );
    if (epilogue === undefined) continue;
    const text = await readTextFile(epilogue, longestFile).catch(() => "");
    const line = text.split("\n").findIndex((each) => usesNetwork(each));
    list.taken(`${arch}/${name}: its Dockerfile.epilogue`, { file: epilogue, line: 1, column: 1 });
    if (line < 0) continue;
    if (!network)
      list.changed("commands of epilogues use the network: `epilogue: network: true` allows it", {
        file: epilogue,
        line: line + 1,
        column: 1,
      });
    network = true;
  }
  const folders = await readdir(join(root, "container_definitions")).catch(() => []);
  for (const folder of folders.sort())
    if (folder.startsWith("_"))
      list.taken(`the parked folder ${folder}`, { file: join(root, "container_definitions", folder) });
  return {
    names: new Set(found.containers.map(({ name }) => name)),
    unparked: new Set(found.containers.flatMap(({ name, parked }) => (parked ? [] : [name]))),
    paths: found.containers.map(({ path }) => path),
    usesNetwork: network,
  };
}
