/** A Dockerfile that runs Spack: which environment it builds, on what, and what else it does to the image. */
import { posix } from "node:path";
import { baseOfImage, baseText, installLine } from "../../pipeline/base/baseOfImage.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { usesNetwork } from "./containerSection.ts";
import type { DockerfileDraft, StagedFile } from "./dockerfileDraft.ts";
import { type DockerStage, dockerfileStages, type StageInstruction } from "./dockerfileStages.ts";
import { readFinalStage } from "./finalStage.ts";
import type { FindingList, MigratedSettings } from "./migration.ts";
import { installedPackages } from "./osPackages.ts";
import { type FinalBase, settleEpilogue } from "./settleEpilogue.ts";
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
  /** Files of the build context that the finished image has. */
  readonly copies: readonly { readonly path: string; readonly place: Place }[];
  /**
   * What is done to the finished image, once it is known which of these files there are.
   *
   * @param missing those that could not be copied, with the reason
   */
  settle(missing: ReadonlyMap<string, string>): {
    readonly settings: MigratedSettings;
    readonly epilogue: readonly string[];
  };
}

/**
 * Reads a Dockerfile.
 *
 * @param file its path, for places
 * @throws {SpacktainersError} `DEFINITION_INVALID` where nothing in it runs Spack
 */
export function readDockerfile(text: string, file: string, list: FindingList): DockerfileReading {
  const stages = dockerfileStages(text, file);
  const chain = lastChain(stages);
  const last = joined(chain);
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
    buildPackages: [],
    epilogue: [],
    lost: [],
    dropped: new Set(),
    spack: undefined,
    directory: "/",
  };
  for (const stage of spackStages) if (!chain.includes(stage)) readBuildStage(stage, stages, draft);
  const from = baseOf(last, draft);
  readFinalStage(last, hasSpack(last), draft);
  return {
    specs: draft.specs,
    manifests: manifestsOf(draft),
    configuration: draft.configuration,
    mirrors: draft.mirrors,
    copies: draft.epilogue.flatMap(({ copies, place }) => copies.map((path) => ({ path, place }))),
    settle: (missing) => {
      const lines = settleEpilogue(draft, from, missing);
      const { settings, install } = settingsOf(draft, from, last);
      const epilogue = [...(install === undefined ? [] : [install]), ...lines];
      return {
        settings: { ...settings, epilogueNetwork: epilogue.some((line) => usesNetwork(line)) },
        epilogue,
      };
    },
  };
}

function settingsOf(
  draft: DockerfileDraft,
  { base }: FinalBase,
  last: DockerStage,
): { readonly settings: Omit<MigratedSettings, "epilogueNetwork">; readonly install: string | undefined } {
  const { osPackages, list, spack } = draft;
  const isImage = base.kind === "image";
  const install = isImage && osPackages.length > 0 ? installLine(base.value, osPackages) : undefined;
  if (isImage && osPackages.length > 0 && install === undefined)
    list.todo(`OS packages in ${base.value}: write a RUN line into Dockerfile.epilogue`, last.place);
  return {
    install,
    settings: {
      base,
      osPackages: isImage ? [] : [...new Set(osPackages)],
      labels: new Map(),
      registries: [],
      spack,
      strip: true,
    },
  };
}

function runsSpack({ instructions, variables }: DockerStage): boolean {
  return instructions.some(
    (one) =>
      one.keyword === "RUN" && commandsOf(one, variables).some((command) => spackVerb(command) !== undefined),
  );
}

/** Whether Spack is in a stage, be it for others that continue it. */
function hasSpack({ instructions, variables }: DockerStage): boolean {
  return instructions.some(
    (one) =>
      one.keyword === "RUN" &&
      commandsOf(one, variables).some((command) => spackCommandLine(command) !== undefined),
  );
}

/** The verb of a command of Spack that makes an environment. */
function spackVerb(command: ShellCommand): string | undefined {
  const verb = spackCommandLine(command)?.verb;
  return verb !== undefined && ["install", "add", "concretize", "env"].includes(verb) ? verb : undefined;
}

function readBuildStage(stage: DockerStage, stages: readonly DockerStage[], draft: DockerfileDraft): void {
  const { spackTag, base } = baseOfImage(chainOf(stage, stages)[0]?.from ?? stage.from);
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

/** A stage and those that it continues, the first one first. */
function chainOf(stage: DockerStage, stages: readonly DockerStage[]): readonly DockerStage[] {
  const chain = [stage];
  for (let left = stages.length; left > 0; left--) {
    const name = chain[0]?.from.toLowerCase();
    const before = stages.find((one) => one.name !== undefined && one.name === name);
    if (before === undefined || chain.includes(before)) break;
    chain.unshift(before);
  }
  return chain;
}

function lastChain(stages: readonly DockerStage[]): readonly DockerStage[] {
  const last = stages.at(-1);
  return last === undefined ? [] : chainOf(last, stages);
}

/** Stages that continue one another as the one that they are. */
function joined(chain: readonly DockerStage[]): DockerStage | undefined {
  const [first] = chain;
  if (first === undefined) return undefined;
  return {
    ...first,
    instructions: chain.flatMap(({ instructions }) => instructions),
    variables: new Map(chain.flatMap(({ variables }) => [...variables])),
  };
}

/** The base of the last stage. */
function baseOf(stage: DockerStage, draft: DockerfileDraft): FinalBase {
  const { base, spackTag } = baseOfImage(stage.from);
  draft.list.taken(`the base is ${baseText(base)}`, stage.place);
  if (spackTag !== undefined) draft.spack ??= takeSpackRef(spackTag, stage.place, draft.list);
  return { base, isBuilder: spackTag !== undefined };
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
