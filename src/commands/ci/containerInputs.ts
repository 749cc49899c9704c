/** What decides each container of a repository, found without any network. */
import { dirname, isAbsolute, join, relative } from "node:path";
import type { ContainerInputs } from "../../ci/changes.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import { defContents } from "../../definitions/defContents.ts";
import { readDefFile } from "../../definitions/defFile.ts";
import { yamlLimits } from "../../definitions/positionedYaml.ts";
import { type Container, type Repository, readTextFile } from "../../definitions/repository.ts";
import type { Instruction } from "../../dockerfile/instruction.ts";
import { parseDockerfile } from "../../dockerfile/parseDockerfile.ts";
import { loadLock } from "../../environment/load.ts";
import { manifestFiles } from "../../environment/manifestFiles.ts";
import { configuredReading } from "../../pipeline/choose/configuredReading.ts";
import { lockPaths } from "../../pipeline/choose/spacktainersLock.ts";

/** Sections of the configuration that decide every image; `epilogue` and those of one architecture come in addition. */
const sections = {
  spack: [
    "caches",
    "base",
    "image",
    "registries",
    "signing",
    "layers",
    "strip",
    "spack",
    "install",
    "view",
    "linkage",
  ],
  def: ["base", "image", "registries", "signing", "layers", "linkage"],
} as const satisfies Record<Container["kind"], readonly (keyof Configuration)[]>;

/** A repository, and the folder that paths are relative to. */
export interface RepositoryInputs {
  readonly repository: Repository;
  /** Absolute: the top of the git repository. */
  readonly top: string;
}

/** What decides each container that is built, broken ones as far as it can be told. Sorted as the repository has them. */
export async function containerInputs(inputs: RepositoryInputs): Promise<readonly ContainerInputs[]> {
  const { repository, top } = inputs;
  const sound = repository.containers.filter(({ parked }) => !parked);
  const found = await Promise.all(sound.map((container) => inputsOf(container, inputs)));
  const broken = repository.broken.flatMap(({ name, arch, path }): readonly ContainerInputs[] => {
    if (arch === undefined || found.some((one) => one.name === name && one.arch === arch)) return [];
    return [{ name, arch, paths: [below(path, top)], configuration: new Map() }];
  });
  return [...found, ...broken];
}

/** What decides the builder and runtime images: their folders and sections of the configuration. */
export function baseInputs({ repository, top }: RepositoryInputs): readonly ContainerInputs[] {
  const { configuration, root } = repository;
  return (["builder", "runtime"] as const).map((name) => ({
    name,
    arch: "",
    paths: [below(join(root, name), top)],
    configuration: sectionTexts(
      configuration,
      name === "builder" ? ["base", "spack", "platforms", "registries"] : ["base", "registries"],
      root,
    ),
  }));
}

async function inputsOf(
  container: Container,
  { repository, top }: RepositoryInputs,
): Promise<ContainerInputs> {
  const { configuration, root } = repository;
  const { name, arch, kind } = container;
  const texts = sectionTexts(configuration, sections[kind], root);
  const own = [
    ...sectionTexts({ platform: configuration.platforms[arch] }, ["platform"], root),
    ...(container.epilogue === undefined ? [] : sectionTexts(configuration, ["epilogue"], root)),
  ].map(([key, text]) => [key === "platform" ? `platforms.${arch}` : key, text] as const);
  const files = [
    ...(await definitionFiles(container, configuration)),
    ...configuredFiles(configuration, kind),
    ...(kind === "spack" ? await recipeFolders(container, configuration) : []),
  ];
  return {
    name,
    arch,
    paths: [...new Set(files.map((path) => below(path, top)))].filter((path) => path !== ""),
    configuration: new Map([...texts, ...own]),
  };
}

/** The files of a definition, whether they are there or not: that one appears is a change, too. */
async function definitionFiles(
  container: Container,
  configuration: Configuration,
): Promise<readonly string[]> {
  const { path, kind, epilogue, tests } = container;
  const optional = [tests, epilogue].filter((file) => file !== undefined);
  const copied = epilogue === undefined ? [] : await copiedByEpilogue(epilogue);
  if (kind === "def") return [path, ...optional, ...copied, ...(await copiedByDefinition(path))];
  const { spack, spacktainers } = lockPaths(container);
  const read = await manifestFiles(path, await configuredReading(container, configuration));
  return [...read, spack, spacktainers, ...optional, ...copied];
}

/** What an epilogue copies from beside it. Of what cannot be read, whoever carries it out says why. */
async function copiedByEpilogue(file: string): Promise<readonly string[]> {
  try {
    const { instructions } = parseDockerfile(await readTextFile(file, yamlLimits.bytes), file);
    return [
      `${file}.dockerignore`,
      join(dirname(file), ".dockerignore"),
      ...instructions.flatMap((instruction) =>
        contextSources(instruction).map((source) => withoutPattern(join(dirname(file), source))),
      ),
    ];
  } catch {
    return [];
  }
}

/** The sources of an instruction in the build context, as written. */
function contextSources(instruction: Instruction): readonly string[] {
  if (instruction.kind === "copy" || instruction.kind === "add")
    return instruction.sources.map(({ text }) => text).filter((text) => !/^[a-z]+:\/\//i.test(text));
  if (instruction.kind !== "run") return [];
  return instruction.mounts.flatMap(({ fields }) =>
    (fields.get("type") ?? "bind") === "bind" && !fields.has("from")
      ? [fields.get("source") ?? fields.get("src") ?? "."]
      : [],
  );
}

async function copiedByDefinition(path: string): Promise<readonly string[]> {
  try {
    const { stages } = readDefFile(await readTextFile(path, yamlLimits.bytes), path);
    return stages.flatMap((stage) => {
      const { files, apps } = defContents(stage);
      const all = [...files, ...apps.flatMap((app) => app.files)];
      return all.map(({ source }) =>
        withoutPattern(isAbsolute(source) ? source : join(dirname(path), source)),
      );
    });
  } catch {
    return [];
  }
}

/** The folder that a pattern's matches are in; a path without one as it is. */
function withoutPattern(path: string): string {
  const parts = path.split("/");
  const first = parts.findIndex((part) => /[*?[\]$\\]/.test(part));
  return first < 0 ? path : parts.slice(0, first).join("/");
}

/** Files of this machine that the configuration names. */
function configuredFiles({ caches, base, spack }: Configuration, kind: Container["kind"]): readonly string[] {
  const keys = caches.flatMap(({ trust }) => trust.map(({ path }) => path));
  const underneath =
    base.kind === "rootfs" || base.kind === "oci"
      ? [base.path]
      : base.kind === "debian"
        ? (base.keyring ?? [])
        : [];
  const facts = spack.facts === undefined ? [] : [spack.facts.path];
  return kind === "spack" ? [...keys, ...underneath, ...facts] : underneath;
}

/** Folders of recipes beside the configuration: of the packages that a lock names; of all without a lock. */
async function recipeFolders(container: Container, { spack }: Configuration): Promise<readonly string[]> {
  const local = spack.repos.flatMap(({ url, paths }) =>
    isAbsolute(url) ? (paths.length === 0 ? [url] : paths.map((path) => join(url, path))) : [],
  );
  if (local.length === 0 || container.lock === undefined) return local;
  const lock = await loadLock(container.lock).catch(() => undefined);
  if (lock === undefined) return local;
  const names = new Set([...lock.graph.values()].map(({ name }) => name));
  return local.flatMap((folder) => [
    join(folder, "repo.yaml"),
    ...[...names].flatMap((name) => [
      join(folder, "packages", name),
      join(folder, "packages", name.replaceAll("-", "_").replace(/^(?=\d)/, "_")),
    ]),
  ]);
}

/** Sections as texts: paths relative to the root, places and functions left out. */
function sectionTexts<Values extends object>(
  values: Values,
  keys: readonly (keyof Values & string)[],
  root: string,
): ReadonlyMap<string, string> {
  const plain = (key: string, value: unknown): unknown => {
    if (key === "place" || typeof value === "function") return undefined;
    if (value instanceof Map) return [...value];
    return typeof value === "string" ? value.replaceAll(root, ".") : value;
  };
  return new Map(keys.map((key) => [key, JSON.stringify(values[key], plain) ?? ""]));
}

function below(path: string, top: string): string {
  return relative(top, path);
}
