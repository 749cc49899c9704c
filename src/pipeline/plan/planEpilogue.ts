/** A container's `Dockerfile.epilogue` before anything is made: read, checked, and what of it decides the image. */
import { basename, dirname } from "node:path";
import type { EpilogueConfiguration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import {
  type BuildContext,
  type ContextNode,
  contextInputs,
  openBuildContext,
} from "../../dockerfile/buildContext.ts";
import { sourcesOf } from "../../dockerfile/copyFiles.ts";
import { type Evaluation, evaluate } from "../../dockerfile/evaluate.ts";
import type { ImageSettings } from "../../dockerfile/imageSettings.ts";
import { type Dockerfile, parseDockerfile } from "../../dockerfile/parseDockerfile.ts";
import type { Step } from "../../dockerfile/step.ts";
import { fragmentKey } from "../../image/fragmentStore.ts";
import { asSpacktainersError, SpacktainersError } from "../../util/errors.ts";
import { readBounded } from "../../util/readBounded.ts";

/** An epilogue, read. */
export interface PlannedEpilogue {
  /** Its path. */
  readonly file: string;
  readonly text: string;
  readonly dockerfile: Dockerfile;
  readonly context: BuildContext;
  /** Values for its ARGs: of the configuration and the command line. */
  readonly arguments: ReadonlyMap<string, string>;
  /** Whether its commands may use the network. */
  readonly network: boolean;
  readonly runner: EpilogueConfiguration["runner"];
  /** How many layers it makes at most. */
  readonly layerCount: number;
  /** How many commands it runs. */
  readonly commands: number;
  /** Everything of it that decides the image: its text, what it copies, its arguments. */
  readonly inputs: string;
}

/** The parts of a configuration and a command line that decide an epilogue. */
export interface EpilogueRequest {
  readonly epilogue: EpilogueConfiguration;
  /** Of the command line: `NAME=VALUE`. */
  readonly buildArguments: ReadonlyMap<string, string>;
  /** Of the command line; undefined: as configured. */
  readonly network: boolean | undefined;
}

const longestText = 1 << 20;

/** The loader's cache, which is made again after libraries were added. */
const layersOfItsOwn = 1;

const nothing: ImageSettings = {
  env: new Map(),
  entrypoint: undefined,
  command: undefined,
  labels: new Map(),
  user: undefined,
  workingDirectory: undefined,
  exposedPorts: new Set(),
  volumes: new Set(),
  stopSignal: undefined,
  author: undefined,
};

/**
 * Reads a container's epilogue.
 *
 * @param file path of it
 * @throws SpacktainersError, SpacktainersErrors with the place of what is wrong: `DEFINITION_INVALID`; `NOT_SUPPORTED`, also for a
 *   command that asks for the network where it is not allowed
 */
export async function planEpilogue(
  file: string,
  { arch }: Pick<Container, "arch">,
  { epilogue, buildArguments, network: asked }: EpilogueRequest,
): Promise<PlannedEpilogue> {
  const text = await readEpilogue(file);
  const dockerfile = parseDockerfile(text, file);
  const context = await openBuildContext(dirname(file), [`${basename(file)}.dockerignore`, ".dockerignore"]);
  const given = new Map([...epilogue.arguments, ...buildArguments]);
  const network = asked ?? epilogue.network;
  const evaluation = evaluate(dockerfile, {
    settings: nothing,
    arguments: given,
    architecture: arch,
    isTrial: true,
  });
  refuseNetwork(evaluation, network, file);
  const changes = evaluation.steps.filter(({ change }) => change !== undefined);
  return {
    file,
    text,
    dockerfile,
    context,
    arguments: given,
    network,
    runner: epilogue.runner,
    layerCount: changes.length === 0 ? 0 : changes.length + layersOfItsOwn,
    commands: changes.filter(({ change }) => change?.kind === "run").length,
    inputs: fragmentKey({
      epilogue: 1,
      text,
      arguments: [...given]
        .filter(([name]) => usesArgument(dockerfile, name))
        .sort(([a], [b]) => (a < b ? -1 : 1)),
      network,
      files: await filesOf(evaluation, context, file),
    }),
  };
}

/**
 * The text of an epilogue.
 *
 * @throws SpacktainersError DEFINITION_INVALID when it is too large or not UTF-8; of the system
 */
export async function readEpilogue(file: string): Promise<string> {
  const bytes = await readBounded(file, longestText).catch((error: unknown) => {
    throw asSpacktainersError(error, { file });
  });
  if (bytes === undefined)
    throw new SpacktainersError("DEFINITION_INVALID", "the file is larger than 1 MiB", { place: { file } });
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new SpacktainersError("DEFINITION_INVALID", "the file is not UTF-8", { place: { file }, cause });
  }
}

function usesArgument({ instructions }: Dockerfile, name: string): boolean {
  return instructions.some(
    (one) => one.kind === "arg" && one.arguments.some((argument) => argument.name.text === name),
  );
}

/** A command that says that it needs the network gets it, or nothing is made. */
function refuseNetwork({ steps }: Evaluation, isAllowed: boolean, file: string): void {
  for (const { instruction } of steps)
    if (!isAllowed && instruction.kind === "run" && (instruction.network ?? "none") !== "none")
      throw new SpacktainersError("NOT_SUPPORTED", "this command needs the network, which is not allowed", {
        place: { file, line: instruction.line, column: instruction.column },
        hint: "allow it with `epilogue: network: true` in spacktainers.yaml, or --epilogue-network",
      });
}

/** All files that the epilogue may copy. Where only the finished image can tell which, all of the context. */
async function filesOf(
  { steps }: Evaluation,
  context: BuildContext,
  file: string,
): Promise<readonly string[]> {
  const root: ContextNode = { path: "", type: "directory", mode: 0o755, size: 0, target: undefined };
  const copies = ["copy", "add", "run"];
  if (steps.some(({ isUncertain, instruction }) => isUncertain && copies.includes(instruction.kind)))
    return contextInputs(context, [{ name: "", node: root }]);
  const words = steps.flatMap(sourceWords).filter(({ text }) => !/^https?:\/\//i.test(text));
  return contextInputs(
    context,
    words.flatMap((word) => sourcesOf(word, { file, context })),
  );
}

function sourceWords({
  instruction,
  change,
}: Step): readonly { text: string; line: number; column: number }[] {
  if (change?.kind === "copy" || change?.kind === "add") return [...change.sources];
  if (change?.kind !== "run") return [];
  const { line, column } = instruction;
  return change.mounts.flatMap((mount) =>
    mount.type === "bind" ? [{ text: mount.source, line, column }] : [],
  );
}
