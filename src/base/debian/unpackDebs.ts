/** Packages on top of one another: one root file system, as dpkg would leave it, with its database. */

import { createHash, type Hash } from "node:crypto";
import { contentOf, readContent } from "../../archive/content.ts";
import type { Entry, EntryStream, FileEntry } from "../../archive/entry.ts";
import { printable } from "../../archive/names.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { makeRootTree, type RootTree } from "../rootTree.ts";
import type { BaseArchitecture } from "../types.ts";
import { multiarchOf } from "./chooseDebs.ts";
import { versionSatisfies } from "./debianVersion.ts";
import type { DebPackage } from "./debPackage.ts";
import { type DpkgPackage, dpkgDatabase } from "./dpkgDatabase.ts";
import type { IsExcluded } from "./excludes.ts";
import { scriptEffects, undoneNotice } from "./maintainerScripts.ts";
import { parseRelations } from "./relations.ts";
import { finishingEntries, isWanted, madeFile, skeleton } from "./systemFiles.ts";

export interface UnpackDebsOptions {
  readonly architecture: BaseArchitecture;
  readonly isExcluded: IsExcluded;
  /** Told when a package begins and the number of its bytes as they pass. */
  readonly onPackage?: (name: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** Told in a sentence what maintainer scripts would do that is left undone. */
  readonly onUndone?: ((notice: string) => void) | undefined;
}

/**
 * Unpacks packages into one stream of entries with `/usr` merged. Of a file that several packages have, that of the
 * package which replaces the others stays (field Replaces); paths lead through links to directories as they would on disk.
 *
 * No maintainer script is run: what those of the essential packages would do is added (`systemFiles.ts`), and the
 * alternatives that scripts set up (`maintainerScripts.ts`).
 *
 * @param packages in any order: the result does not depend on it
 * @throws SpacktainersError BASE_UNSATISFIABLE when two packages have the same file and neither replaces the other;
 *   ARCHIVE_INVALID, ARCHIVE_UNSAFE
 */
export async function* unpackDebs(packages: readonly DebPackage[], options: UnpackDebsOptions): EntryStream {
  const tree = makeRootTree();
  const contents = new Map<string, Uint8Array>();
  const installed: DpkgPackage[] = [];
  for (const entry of skeleton(options.architecture)) yield* placed(entry, tree, undefined);
  const ordered = installationOrder(packages);
  const byName = new Map(ordered.map((one) => [one.name, one]));
  for (const one of ordered) {
    stopIfAborted(options.signal);
    options.onPackage?.(one.name);
    const files: string[] = [];
    const sums = new Map<string, Hash>();
    const conffiles = new Set(one.conffiles);
    for await (const original of one.entries()) {
      const path = tree.resolve(original.path);
      if (options.isExcluded(path, original.type)) continue;
      const there = tree.get(path);
      if (there !== undefined && !isFree(original, there)) {
        const other = there.owner === undefined ? undefined : byName.get(there.owner);
        if (other === one || other === undefined || !replaces(other, one)) {
          throw conflict(path, one.name, there.owner);
        }
        continue;
      }
      files.push(original.path);
      if (there !== undefined) continue;
      const entry = await watched(moved(original, path, tree), contents, (content) => {
        if (!conffiles.has(`/${original.path}`)) return content;
        const hash = createHash("md5");
        sums.set(`/${original.path}`, hash);
        return hashed(content, hash);
      });
      yield* placed(entry, tree, one.name);
    }
    installed.push({
      name: one.name,
      architecture: one.architecture,
      multiArch: one.multiArch,
      controlText: one.controlText,
      md5sums: one.md5sums,
      files,
      conffiles: one.conffiles.flatMap((path) => {
        const hash = sums.get(path);
        return hash === undefined ? [] : [[path, hash.digest("hex")] as const];
      }),
    });
  }
  const get = (path: string) => tree.get(tree.resolve(path));
  const effects = scriptEffects(ordered, {
    architecture: options.architecture,
    multiarch: multiarchOf[options.architecture],
    exists: (path) => get(path.slice(1)) !== undefined,
  });
  const notice = undoneNotice(effects);
  if (notice !== undefined) options.onUndone?.(notice);
  const links = effects.links.map((one) => ({ ...one, link: tree.resolve(one.link.slice(1)) }));
  for (const entry of finishingEntries(get, contents, links)) yield* placed(entry, tree, undefined);
  for (const [path, text] of dpkgDatabase(installed)) {
    if (get(path) === undefined) yield* placed(madeFile(path, text), tree, undefined);
  }
}

/** Whether an entry can be left to what is there: directories that exist, and the same link twice. */
function isFree(entry: Entry, there: { readonly type: Entry["type"]; readonly target?: string }): boolean {
  if (entry.type === "directory") return there.type === "directory" || there.type === "symlink";
  // dpkg keeps a directory where a package has a link.
  if (entry.type === "symlink") return there.type === "directory" || there.target === entry.target;
  return false;
}

function* placed(entry: Entry, tree: RootTree, owner: string | undefined): Generator<Entry> {
  for (const parent of tree.missingParents(entry.path))
    tree.set(parent, { type: "directory", owner: undefined });
  tree.set(entry.path, {
    type: entry.type,
    owner,
    ...(entry.type === "symlink" ? { target: entry.target } : {}),
  });
  yield entry;
}

function moved(entry: Entry, path: string, tree: RootTree): Entry {
  if (entry.type !== "hardlink") return { ...entry, path };
  const target = tree.resolve(entry.target);
  const there = tree.get(target);
  if (there?.type !== "file" && there?.type !== "hardlink") {
    throw new SpacktainersError(
      "ARCHIVE_INVALID",
      `${printable(path)} is a hard link to ${printable(target)}, which does not exist`,
      { hint: "is the file excluded from the base?" },
    );
  }
  return { ...entry, path, target };
}

async function watched(
  entry: Entry,
  contents: Map<string, Uint8Array>,
  wrap: (content: FileEntry["content"]) => FileEntry["content"],
): Promise<Entry> {
  if (entry.type !== "file") return entry;
  if (!isWanted(entry.path)) return { ...entry, content: wrap(entry.content) };
  const bytes = await readContent(entry, 2 ** 20);
  contents.set(entry.path, bytes);
  return { ...entry, content: wrap(contentOf(bytes)) };
}

async function* hashed(
  content: AsyncIterable<Uint8Array>,
  hash: Hash,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of content) {
    hash.update(chunk);
    yield chunk;
  }
}

/**
 * base-files first (it has the directories' proper modes), then by name; a package that replaces files of another before
 * that one, so that the first to bring a file is the one that keeps it.
 */
export function installationOrder(packages: readonly DebPackage[]): readonly DebPackage[] {
  const sorted = [...packages].sort((a, b) => {
    if ((a.name === "base-files") !== (b.name === "base-files")) return a.name === "base-files" ? -1 : 1;
    return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
  });
  const order: DebPackage[] = [];
  const state = new Map<DebPackage, "open" | "done">();
  const visit = (one: DebPackage): void => {
    if (state.has(one)) return;
    state.set(one, "open");
    for (const other of sorted) if (other !== one && replaces(other, one)) visit(other);
    state.set(one, "done");
    order.push(one);
  };
  for (const one of sorted) visit(one);
  return order;
}

/** Whether `winner` may take over files of `loser`. */
function replaces(winner: DebPackage, loser: DebPackage): boolean {
  const field = winner.control.get("replaces");
  if (field === undefined || !field.includes(loser.name)) return false;
  return (parseRelations(field) ?? []).some(
    ([relation]) =>
      relation?.name === loser.name &&
      (relation.version === undefined ||
        versionSatisfies(loser.version, relation.version.operator, relation.version.version)),
  );
}

function conflict(path: string, name: string, other: string | undefined): SpacktainersError {
  return new SpacktainersError(
    "BASE_UNSATISFIABLE",
    other === undefined || other === name
      ? `the package ${name} has ${printable(`/${path}`)} in a way that cannot be unpacked`
      : `the packages ${other} and ${name} both have the file ${printable(`/${path}`)}`,
    { hint: "leave out one of the packages, or exclude the file" },
  );
}
