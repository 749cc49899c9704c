/** The layers of an epilogue: each found where an earlier run left it, else made. */
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EntryStream, imageMtime } from "../../archive/entry.ts";
import type { Inventory } from "../../archive/inventory.ts";
import { type CompressionSettings, compressionFacts } from "../../archive/layerCompression.ts";
import { writeFragment } from "../../archive/writeFragment.ts";
import { collectInventory } from "../../base/collectInventory.ts";
import { splitWhiteouts } from "../../base/mergeInventories.ts";
import { type BuildContext, contextFacts } from "../../dockerfile/buildContext.ts";
import type { CommandMount, CommandRunner } from "../../dockerfile/commandRunner.ts";
import { copyFiles, type FetchedFile, sourcesOf } from "../../dockerfile/copyFiles.ts";
import { proxyArguments, type RunStep, type Step, type TransferStep } from "../../dockerfile/evaluate.ts";
import { type DirectoryFacts, LayerDraft } from "../../dockerfile/layerDraft.ts";
import { type LowerFacts, ownerOf, readLowerFacts } from "../../dockerfile/lowerFacts.ts";
import { settleChanges } from "../../dockerfile/settleChanges.ts";
import {
  type FragmentKey,
  type FragmentStore,
  fragmentKey,
  type MadeFragment,
} from "../../image/fragmentStore.ts";
import type { LayerSource } from "../../run/ownedLayers.ts";
import { type Digest, hexOfDigest } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { FileTree } from "../../view/fileTree.ts";

/** Version of how layers of epilogues are made: part of their keys. */
const epilogueVersion = 1;

/** Texts that are kept of a layer: what is installed, and which distribution it is. */
const keptTexts = /^var\/lib\/dpkg\/status(?:\.d\/[^/]+)?$/;

/** The image so far. */
export interface ImageBelow {
  /** From bottom to top. */
  readonly layers: readonly LayerSource[];
  /** Those of them in which files may belong to others than root. */
  readonly foreign: readonly LayerSource[];
  readonly tree: FileTree;
}

/** What making layers takes. */
export interface EpilogueTools {
  /** Path of the Dockerfile, for errors. */
  readonly file: string;
  readonly context: BuildContext;
  readonly architecture: "amd64" | "arm64";
  readonly store: FragmentStore;
  readonly compression: CompressionSettings;
  /** Whether commands may use the network. */
  readonly network: boolean;
  /** Makes every layer again that a command made with the network. */
  readonly refresh: boolean;
  /** Folder for caches of `--mount=type=cache`. */
  readonly cacheDirectory: string;
  /** Files of the machine that commands see, by path in the image. */
  readonly hostFiles: () => Promise<ReadonlyMap<string, string>>;
  /** Opens what runs commands; asked for once, when there is a command to run. */
  readonly openRunner: () => Promise<CommandRunner>;
  /** Fetches what ADD names, by its digest. */
  readonly fetch: (url: string, digest: Digest) => Promise<{ readonly path: string; readonly size: number }>;
  readonly emit: EmitEvent;
}

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
    compression: compressionFacts(tools.compression),
    below: below.layers.map(({ diffId }) => diffId),
    change: await factsOf(change, tools),
  });
}

type Change = Exclude<Step["change"], undefined>;

/** All of a change that decides what becomes of it, as plain data. */
export async function factsOf(
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
              ? [mount, await contextFacts(tools.context, sourcesOf(bindWord(mount.source), tools))]
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
    files: await contextFacts(
      tools.context,
      local.flatMap((word) => sourcesOf(word, tools)),
    ),
    documents: step.documents,
    destination: step.destination,
    chown: step.chown?.text,
    ...step.options,
  };
}

function isAddress(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/** Makes the layers of one epilogue on one image. */
export class LayerMaker {
  readonly #tools: EpilogueTools;
  #facts: Promise<LowerFacts> | undefined;
  #runner: Promise<CommandRunner> | undefined;

  constructor(tools: EpilogueTools) {
    this.#tools = tools;
  }

  /** What is in a layer has changed: facts of the image's files are read again when they are asked for. */
  forget(): void {
    this.#facts = undefined;
  }

  /**
   * Makes the layer of a step.
   *
   * @param path of the new file
   * @throws SpacktainersError of copying and running; `PROCESS_FAILED` when a command fails
   */
  async make(step: Step, below: ImageBelow, path: string): Promise<MadeFragment> {
    const { change } = step;
    if (change === undefined) throw new Error("a step without change makes no layer");
    if (change.kind === "run") return this.#run(change, step, below, path);
    const draft = new LayerDraft(copyOf(below.tree));
    if (change.kind === "directory") {
      const owner =
        change.user === undefined
          ? { uid: 0, gid: 0 }
          : ownerOf({ ...step.instruction, text: change.user }, await this.#lower(below), this.#tools.file);
      draft.makeDirectories(draft.realPath(change.path), owner);
    } else await this.#copy(change, draft, below);
    return this.#write(
      path,
      draft.entries(async (paths) => directoryFacts(paths, below.tree, await this.#lower(below))),
    );
  }

  #lower(below: ImageBelow): Promise<LowerFacts> {
    this.#facts ??= readLowerFacts(below.foreign);
    return this.#facts;
  }

  async #write(path: string, entries: EntryStream): Promise<MadeFragment> {
    const collected = collectInventory(entries, { addParents: false, texts: keptTexts });
    const facts = await writeFragment(path, collected.entries, {
      compression: this.#tools.compression,
      whiteouts: "keep",
    });
    return { facts, inventory: collected.inventory() };
  }

  async #copy(
    change: Extract<Change, { kind: "copy" | "add" }>,
    draft: LayerDraft,
    below: ImageBelow,
  ): Promise<void> {
    const { file, context } = this.#tools;
    const owner =
      change.chown === undefined || change.chown.text === ""
        ? { uid: 0, gid: 0 }
        : ownerOf(change.chown, await this.#lower(below), file);
    const fetched = change.kind === "add" ? await this.#fetchAll(change) : new Map<string, FetchedFile>();
    if (change.kind === "copy") refuseAddresses(change, file);
    await copyFiles(draft, {
      step: change,
      unpack:
        change.kind === "copy"
          ? { local: false, fetched: false }
          : { local: change.unpack ?? true, fetched: change.unpack ?? false },
      file,
      context,
      owner,
      fetched,
    });
  }

  async #fetchAll(change: Extract<Change, { kind: "add" }>): Promise<ReadonlyMap<string, FetchedFile>> {
    const { file, fetch } = this.#tools;
    const found = new Map<string, FetchedFile>();
    for (const word of change.sources) {
      if (!isAddress(word.text)) continue;
      const digest = checksumOf(change, file);
      const { path, size } = await fetch(word.text, digest);
      const { createReadStream } = await import("node:fs");
      const name = new URL(word.text).pathname.split("/").findLast((part) => part !== "");
      found.set(word.text, {
        name: name === undefined ? "__unnamed__" : decodeURIComponent(name),
        size,
        open: () => createReadStream(path),
      });
    }
    return found;
  }

  async #run(
    change: Extract<Change, { kind: "run" }>,
    step: Step,
    below: ImageBelow,
    path: string,
  ): Promise<MadeFragment> {
    const { architecture, file, network: isAllowed, emit } = this.#tools;
    const { line, column } = step.instruction;
    this.#runner ??= this.#tools.openRunner();
    const runner = await this.#runner;
    const draft = new LayerDraft(copyOf(below.tree));
    const scratch = await mkdtemp(join(tmpdir(), "spacktainers-"));
    const network = networkOf(change, isAllowed);
    const output = new OutputTail();
    const id = `run ${file}:${line}`;
    emit({ type: "task-start", id, kind: "run", label: shortText(step) });
    try {
      const result = await runner.run({
        layers: below.layers,
        architecture,
        argv: change.argv,
        env: new Map([["SOURCE_DATE_EPOCH", String(imageMtime)], ...change.env]),
        user: change.user,
        workingDirectory: change.workingDirectory,
        network,
        mounts: await this.#mounts(change, draft, scratch, network),
        kindOf: (place) => {
          const entry = below.tree.at(place.slice(1));
          return entry === undefined ? undefined : entry.type === "directory" ? "directory" : "file";
        },
        onOutput: (chunk) => output.add(chunk),
      });
      try {
        if (result.status !== 0)
          throw failure(result.status, output, { file, line, column }, network, isAllowed);
        const owners = result.users === "single" ? (await this.#lower(below)).owners : undefined;
        const made = await this.#write(path, settleChanges(result.changes(), owners));
        emit({ type: "task-end", id, outcome: "done" });
        return made;
      } finally {
        await result.close();
      }
    } catch (error) {
      emit({ type: "task-end", id, outcome: "failed" });
      if (error instanceof SpacktainersError && Object.keys(error.place).length === 0)
        throw new SpacktainersError(error.code, error.message, {
          place: { file, line, column },
          cause: error,
          ...(error.hint === undefined ? {} : { hint: error.hint }),
        });
      throw error;
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  async #mounts(
    change: RunStep,
    draft: LayerDraft,
    scratch: string,
    network: "host" | "none",
  ): Promise<readonly CommandMount[]> {
    const { context, file, cacheDirectory, hostFiles } = this.#tools;
    const mounts: CommandMount[] = [];
    const add = (source: string | undefined, target: string, rest: Partial<CommandMount>): void => {
      // Below /dev everything is the container's own.
      const real = target.startsWith("/dev/") ? target : `/${draft.realPath(target)}`;
      mounts.push({ source, target: real, isFile: false, readOnly: false, size: undefined, ...rest });
    };
    if (network === "host")
      for (const [target, source] of await hostFiles()) add(source, target, { isFile: true, readOnly: true });
    if (change.script !== undefined) {
      const script = join(scratch, "script");
      await writeFile(script, change.script.content, { mode: 0o755 });
      add(script, `/run/.pipes/${change.script.name}`, { isFile: true, readOnly: true });
    }
    for (const mount of change.mounts) {
      if (mount.type === "tmpfs") add(undefined, mount.target, { size: mount.size });
      else if (mount.type === "cache") {
        const folder = join(cacheDirectory, hexOfDigest(keyDigest(mount.id)).slice(0, 32));
        await mkdir(folder, { recursive: true, mode: mount.mode });
        add(folder, mount.target, { readOnly: mount.readOnly });
      } else {
        const [source] = sourcesOf({ text: mount.source, line: 1, column: 1 }, { file, context });
        const path = join(context.directory, source?.node.path ?? "");
        add(path, mount.target, { isFile: !(await stat(path)).isDirectory(), readOnly: true });
      }
    }
    return mounts;
  }
}

function keyDigest(text: string): Digest {
  return `sha256:${fragmentKey({ cache: text })}` as Digest;
}

/** A tree that can be changed without changing the other. */
function copyOf(tree: FileTree): FileTree {
  return new FileTree([{ entries: [...tree.entries()].map(([path, entry]) => ({ ...entry, path })) }]);
}

function directoryFacts(
  paths: readonly string[],
  tree: FileTree,
  { owners }: LowerFacts,
): ReadonlyMap<string, DirectoryFacts> {
  return new Map(
    paths.map((path) => [path, { mode: tree.at(path)?.mode ?? 0o755, uid: 0, gid: 0, ...owners.get(path) }]),
  );
}

/** Lays a finished layer over an image's tree, what it removes included. */
export function layOver(tree: FileTree, inventory: Inventory): void {
  const { inventory: kept, deleted, opaque } = splitWhiteouts(inventory);
  for (const path of deleted) tree.remove(path);
  for (const path of opaque) tree.removeBelow(path);
  tree.add(kept);
}

function refuseAddresses(change: TransferStep, file: string): void {
  for (const { text, line, column } of change.sources)
    if (isAddress(text))
      throw new SpacktainersError("DEFINITION_INVALID", "COPY cannot fetch an address", {
        place: { file, line, column },
        hint: "ADD can, with --checksum=sha256:…",
      });
}

/**
 * The digest of what an ADD fetches.
 *
 * @throws SpacktainersError DEFINITION_INVALID: none, or not one of SHA-256
 */
export function checksumOf(
  { checksum, sources }: Pick<Extract<Change, { kind: "add" }>, "checksum" | "sources">,
  file: string,
): Digest {
  const [first] = sources;
  const { line, column } = checksum ?? first ?? { line: 1, column: 1 };
  const wrong = (message: string, hint: string): SpacktainersError =>
    new SpacktainersError("DEFINITION_INVALID", message, { place: { file, line, column }, hint });
  if (checksum === undefined)
    throw wrong("what ADD fetches has no checksum", "write ADD --checksum=sha256:… ADDRESS DESTINATION");
  if (sources.length !== 1) throw wrong("a checksum is for one source", "write an ADD for each");
  if (!/^sha256:[0-9a-f]{64}$/.test(checksum.text))
    throw wrong("this is no SHA-256", "write --checksum=sha256:…");
  return checksum.text as Digest;
}

/** What Buildah adds when a command has failed. */
const engineWords = /^(?:subprocess exited with status \d+|Error: exit status \d+)$/;

/** The last of what a command says. */
class OutputTail {
  #text = "";

  add(chunk: Buffer): void {
    this.#text = (this.#text + chunk.toString("utf8")).slice(-65_536);
  }

  /** Its last lines that say something. */
  lines(count: number): readonly string[] {
    return this.#text
      .split(/[\r\n]+/)
      .map((line) => line.trim())
      .filter((line) => line !== "" && !engineWords.test(line))
      .slice(-count);
  }
}

/** What programs say when they would need the network. */
const networkTrouble =
  /Temporary failure (?:in name resolution|resolving)|Could not resolve|Network is unreachable|network unreachable|Name or service not known|Unable to locate package|bad address/i;

function failure(
  status: number,
  output: OutputTail,
  place: { readonly file: string; readonly line: number; readonly column: number },
  network: "host" | "none",
  isAllowed: boolean,
): SpacktainersError {
  const said = output.lines(20);
  const last =
    said.findLast((line) => /error|E:|fail|not found|cannot|denied/i.test(line)) ?? said.at(-1) ?? "";
  const offline = network === "none" && said.some((line) => networkTrouble.test(line));
  const missing = status === 127 && /apt-get|apt\b/.test(last);
  return new SpacktainersError(
    "PROCESS_FAILED",
    `the command ended with status ${status}${last === "" ? "" : `: ${last.slice(0, 300)}`}`,
    {
      place,
      hint: missing
        ? "the base has no apt: add it with `base: packages:` in spacktainers.yaml"
        : offline && !isAllowed
          ? "commands of an epilogue have no network unless `epilogue: network: true` or --epilogue-network allows it"
          : `the last it said: ${said.slice(-5).join(" | ").slice(0, 1000)}`,
    },
  );
}

function shortText({ instruction }: Step): string {
  const text = `${instruction.keyword} ${instruction.text.replaceAll(/\s+/g, " ")}`;
  return text.length > 72 ? `${text.slice(0, 71)}…` : text;
}
