/** A Dockerfile that runs Spack: which environment it builds, on what, and what else it does to the image. */
import { posix } from "node:path";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { baseOfImage, baseText, installLine } from "./baseOfImage.ts";
import { usesNetwork } from "./containerSection.ts";
import type { DockerfileDraft, StagedFile } from "./dockerfileDraft.ts";
import { type DockerStage, dockerfileStages, type StageInstruction } from "./dockerfileStages.ts";
import { readFinalStage } from "./finalStage.ts";
import type { FindingList, MigratedSettings } from "./migration.ts";
import { installedPackages } from "./osPackages.ts";
import type { ShellCommand } from "./shellCommands.ts";
import { spackCommandLine } from "./spackCommand.ts";
import { takeSpackRef } from "./spackRef.ts";
import { commandsOf, isHarmless, readFile, readSpack, stageFiles } from "./spackSteps.ts";

/** What a Dockerfile says. */
export interface DockerfileReading {
  /** Specs of `spack install` and `spack add`, in order, each once. */
  readonly specs: readonly string[];
  /** The manifests that the Dockerfile writes or copies: that of the environment that its commands are about first. */
  readonly manifests: readonly StagedFile[];
  /** Settings of `spack config add`, as `section:…:value`. */
  readonly configuration: readonly { readonly text: string; readonly place: Place }[];
  readonly mirrors: readonly { readonly url: string; readonly place: Place }[];
  readonly settings: MigratedSettings;
  readonly epilogue: readonly string[];
  /** Files of the build context that the epilogue copies. */
  readonly copies: readonly { readonly path: string; readonly place: Place }[];
}

/**
 * Reads a Dockerfile.
 *
 * @param file its path, for places
 * @throws {SpacktainersError} `DEFINITION_INVALID` where nothing in it runs Spack
 */
export function readDockerfile(text: string, file: string, list: FindingList): DockerfileReading {
  const stages = dockerfileStages(text, file);
  const last = stages.at(-1);
  const spackStages = stages.filter((stage) => runsSpack(stage));
  if (last === undefined || spackStages.length === 0)
    throw new SpacktainersError("DEFINITION_INVALID", "nothing in this Dockerfile runs Spack", {
      place: { file },
      hint: "commands such as `spack install` or `spack concretize` are looked for",
    });
  const draft: DockerfileDraft = {
    list,
    specs: [],
    files: new Map(),
    environments: [],
    configuration: [],
    mirrors: [],
    osPackages: [],
    epilogue: [],
    copies: [],
    dropped: new Set(),
    spack: undefined,
    directory: "/",
  };
  for (const stage of spackStages) if (stage !== last) readBuildStage(stage, draft);
  const base = baseOf(last, stages, draft);
  readFinalStage(last, spackStages.includes(last), draft);
  const isImage = base.kind === "image";
  const install =
    isImage && draft.osPackages.length > 0 ? installLine(base.value, draft.osPackages) : undefined;
  if (isImage && draft.osPackages.length > 0 && install === undefined)
    list.todo(`OS packages in ${base.value}: write a RUN line into Dockerfile.epilogue`, last.place);
  const epilogue = [...(install === undefined ? [] : [install]), ...draft.epilogue];
  return {
    specs: draft.specs,
    manifests: manifestsOf(draft),
    configuration: draft.configuration,
    mirrors: draft.mirrors,
    settings: {
      base,
      osPackages: isImage ? [] : [...new Set(draft.osPackages)],
      labels: new Map(),
      registries: [],
      spack: draft.spack,
      epilogueNetwork: epilogue.some((line) => usesNetwork(line)),
      strip: true,
    },
    epilogue,
    copies: draft.copies,
  };
}

function runsSpack({ instructions, variables }: DockerStage): boolean {
  return instructions.some(
    (one) =>
      one.keyword === "RUN" && commandsOf(one, variables).some((command) => spackVerb(command) !== undefined),
  );
}

/** The verb of a command of Spack that makes an environment. */
function spackVerb(command: ShellCommand): string | undefined {
  const verb = spackCommandLine(command)?.verb;
  return verb !== undefined && ["install", "add", "concretize", "env"].includes(verb) ? verb : undefined;
}

function readBuildStage(stage: DockerStage, draft: DockerfileDraft): void {
  const { spackTag, base } = baseOfImage(stage.from);
  if (spackTag !== undefined) draft.spack = takeSpackRef(spackTag, stage.place, draft.list) ?? draft.spack;
  draft.list.changed(
    `the build stage is not needed: packages come from build caches, or Spack builds them on this machine (it was on ${baseText(base)})`,
    stage.place,
  );
  for (const one of stage.instructions)
    if (one.keyword === "WORKDIR") draft.directory = posix.resolve(draft.directory, one.text.trim());
    else if (one.keyword === "COPY" || one.keyword === "ADD") stageFiles(one, draft);
    else if (one.keyword === "RUN") readBuildCommands(one, stage, draft);
}

/** A RUN of a stage that builds. */
function readBuildCommands(one: StageInstruction, stage: DockerStage, draft: DockerfileDraft): void {
  for (const command of commandsOf(one, stage.variables)) {
    if (readSpack(command, one, draft) || readFile(command, one, draft)) continue;
    const installed = installedPackages(command);
    if (installed !== undefined) {
      if (installed.length > 0)
        draft.list.changed(
          `OS packages of the build are not needed in the image: ${installed.join(", ")}`,
          one.placeAt(command.words[0]?.at ?? 0),
        );
      continue;
    }
    const [first] = command.words;
    if (first === undefined || isHarmless(first.text)) continue;
    draft.list.todo(
      `this command of the build is left out: ${command.words
        .map(({ text }) => text)
        .join(" ")
        .slice(0, 100)}`,
      one.placeAt(first.at),
    );
  }
}

/** The base of the last stage: that of the stage it continues. */
function baseOf(
  stage: DockerStage,
  stages: readonly DockerStage[],
  draft: DockerfileDraft,
): NonNullable<MigratedSettings["base"]> {
  let current = stage;
  for (let left = stages.length; left > 0; left--) {
    const before = stages.find(({ name }) => name !== undefined && name === current.from.toLowerCase());
    if (before === undefined || before === current) break;
    current = before;
  }
  const { base, spackTag } = baseOfImage(current.from);
  draft.list.taken(`the base is ${baseText(base)}`, current.place);
  if (spackTag !== undefined) draft.spack ??= takeSpackRef(spackTag, current.place, draft.list);
  return base;
}

/** Those of the environments that commands are about first; of several, the last. */
function manifestsOf({ files, environments }: DockerfileDraft): readonly StagedFile[] {
  const found = [...files].filter(([path]) => posix.basename(path) === "spack.yaml").reverse();
  const isNamed = ([path]: readonly [string, StagedFile]): boolean =>
    environments.some(
      (name) => posix.dirname(path) === posix.resolve("/", name) || path.endsWith(`/${name}/spack.yaml`),
    );
  return [...found.filter(isNamed), ...found.filter((one) => !isNamed(one))].map(([, file]) => file);
}
