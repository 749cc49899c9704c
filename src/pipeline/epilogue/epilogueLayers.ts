/** The layers of an epilogue: each found where an earlier run left it, else made. */
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EntryStream, imageMtime } from "../../archive/entry.ts";
import type { Inventory } from "../../archive/inventory.ts";
import { writeFragment } from "../../archive/writeFragment.ts";
import { collectInventory } from "../../base/collectInventory.ts";
import { splitWhiteouts } from "../../base/mergeInventories.ts";
import type { CommandMount, CommandRunner } from "../../dockerfile/commandRunner.ts";
import { copyFiles, type FetchedFile, sourcesOf } from "../../dockerfile/copyFiles.ts";
import { type DirectoryAttributes, LayerDraft } from "../../dockerfile/layerDraft.ts";
import { type LowerFiles, ownerOf, readLowerFiles } from "../../dockerfile/lowerFiles.ts";
import { settleChanges } from "../../dockerfile/settleChanges.ts";
import type { RunStep, Step, TransferStep } from "../../dockerfile/step.ts";
import { fragmentKey, type MadeFragment } from "../../image/fragmentStore.ts";
import { type Digest, hexOfDigest } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { runTask } from "../../util/events.ts";
import { FileTree } from "../../view/fileTree.ts";
import { commandFailure, OutputTail } from "./commandFailure.ts";
import type { EpilogueTools, ImageBelow } from "./epilogueTools.ts";
import { type Change, isAddress, networkOf } from "./stepKey.ts";

/** Texts that are kept of a layer: what is installed, and which distribution it is. */
const keptTexts = /^var\/lib\/dpkg\/status(?:\.d\/[^/]+)?$/;

/** Makes the layers of one epilogue on one image. */
export class LayerMaker {
  readonly #tools: EpilogueTools;
  #facts: Promise<LowerFiles> | undefined;
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

  #lower(below: ImageBelow): Promise<LowerFiles> {
    this.#facts ??= readLowerFiles(below.foreign);
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
    const task = { kind: "run", label: shortText(step), subject: `${file}:${line}` } as const;
    try {
      return await runTask(emit, task, async () => {
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
          if (result.status !== 0) throw commandFailure(result.status, output, { network, isAllowed });
          const owners = result.users === "single" ? (await this.#lower(below)).owners : undefined;
          return await this.#write(path, settleChanges(result.changes(), owners));
        } finally {
          await result.close();
        }
      });
    } catch (error) {
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
    const { context, file, cacheDirectory, networkFiles } = this.#tools;
    const mounts: CommandMount[] = [];
    const add = (source: string | undefined, target: string, rest: Partial<CommandMount>): void => {
      // Below /dev everything is the container's own.
      const real = target.startsWith("/dev/") ? target : `/${draft.realPath(target)}`;
      mounts.push({ source, target: real, isFile: false, readOnly: false, size: undefined, ...rest });
    };
    if (network === "host")
      for (const [target, source] of await networkFiles(draft.tree)) {
        const path = "file" in source ? source.file : join(scratch, `file${mounts.length}`);
        if ("text" in source) await writeFile(path, source.text, { mode: 0o644 });
        add(path, target, { isFile: true, readOnly: true });
      }
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
  { owners }: LowerFiles,
): ReadonlyMap<string, DirectoryAttributes> {
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
    throw wrong("this is not a SHA-256", "write --checksum=sha256:…");
  return checksum.text as Digest;
}

function shortText({ instruction }: Step): string {
  const text = `${instruction.keyword} ${instruction.text.replaceAll(/\s+/g, " ")}`;
  return text.length > 72 ? `${text.slice(0, 71)}…` : text;
}
