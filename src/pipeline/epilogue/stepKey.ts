/** What decides the layer that a step of an epilogue makes. */
import { encodingOf } from "../../archive/layerCompression.ts";
import { contextInputs } from "../../dockerfile/buildContext.ts";
import { sourcesOf } from "../../dockerfile/copyFiles.ts";
import { proxyArguments } from "../../dockerfile/evaluate.ts";
import type { RunStep, Step, TransferStep } from "../../dockerfile/step.ts";
import { type FragmentKey, fragmentKey } from "../../image/fragmentStore.ts";
import type { EpilogueTools, ImageBelow } from "./epilogueTools.ts";

/** Version of how layers of epilogues are made: part of their keys. */
const epilogueVersion = 1;

/** The key of the layer that a step makes on an image; undefined when it makes none. */
export async function keyOfStep(
  step: Step,
  below: Pick<ImageBelow, "layers">,
  tools: Pick<EpilogueTools, "file" | "context" | "compression" | "network" | "architecture">,
): Promise<FragmentKey | undefined> {
  const { change } = step;
  if (change === undefined) return undefined;
  return fragmentKey({
    epilogue: epilogueVersion,
    architecture: tools.architecture,
    compression: encodingOf(tools.compression),
    below: below.layers.map(({ diffId }) => diffId),
    change: await factsOf(change, tools),
  });
}

/** What a step changes among the files. */
export type Change = Exclude<Step["change"], undefined>;

/** All of a change that decides what becomes of it, as plain data. */
async function factsOf(
  change: Change,
  tools: Pick<EpilogueTools, "file" | "context" | "network">,
): Promise<unknown> {
  switch (change.kind) {
    case "directory":
      return { kind: change.kind, path: change.path, user: change.user };
    case "copy":
      return { kind: change.kind, ...(await transferFacts(change, tools)) };
    case "add":
      return {
        kind: change.kind,
        unpack: change.unpack,
        checksum: change.checksum?.text,
        ...(await transferFacts(change, tools)),
      };
    case "run":
      return {
        kind: change.kind,
        argv: change.argv,
        script: change.script,
        env: [...change.env]
          .filter(([name]) => !proxyArguments.has(name))
          .sort(([a], [b]) => (a < b ? -1 : 1)),
        user: change.user,
        workingDirectory: change.workingDirectory,
        network: networkOf(change, tools.network),
        mounts: await Promise.all(
          change.mounts.map(async (mount) =>
            mount.type === "bind"
              ? [mount, await contextInputs(tools.context, sourcesOf(bindWord(mount.source), tools))]
              : mount,
          ),
        ),
      };
  }
}

/** Whether a command gets the network. */
export function networkOf({ network }: RunStep, isAllowed: boolean): "host" | "none" {
  return isAllowed && network !== "none" ? "host" : "none";
}

function bindWord(text: string): { readonly text: string; readonly line: number; readonly column: number } {
  return { text, line: 1, column: 1 };
}

async function transferFacts(
  step: TransferStep,
  tools: Pick<EpilogueTools, "file" | "context">,
): Promise<object> {
  const local = step.sources.filter(({ text }) => !isAddress(text));
  return {
    addresses: step.sources.flatMap(({ text }) => (isAddress(text) ? [text] : [])),
    sources: step.sources.map(({ text }) => text),
    files: await contextInputs(
      tools.context,
      local.flatMap((word) => sourcesOf(word, tools)),
    ),
    documents: step.documents,
    destination: step.destination,
    chown: step.chown?.text,
    ...step.options,
  };
}

/** Whether a source is to be fetched. */
export function isAddress(text: string): boolean {
  return /^https?:\/\//i.test(text);
}
