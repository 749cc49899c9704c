/**
 * COPY and ADD as Docker has them: what is copied where, folders by their contents, links in the destination followed, archives
 * unpacked by ADD.
 */
import { posix } from "node:path";
import { contentOf } from "../archive/content.ts";
import { imageMtime } from "../archive/entry.ts";
import { printable } from "../archive/names.ts";
import { SpacktainersError } from "../util/errors.ts";
import { type OpenedArchive, openAddedArchive, unpackInto } from "./addArchive.ts";
import type { BuildContext, ContextNode, ContextSource } from "./buildContext.ts";
import type { ModeChange } from "./fileMode.ts";
import type { PathPatterns } from "./ignoreFile.ts";
import type { Word } from "./instruction.ts";
import type { LayerDraft, Owner } from "./layerDraft.ts";
import type { TransferStep } from "./step.ts";

/** A file that ADD fetched. */
export interface FetchedFile {
  readonly name: string;
  readonly size: number;
  open(): AsyncIterable<Uint8Array>;
}

/** What {@link copyFiles} works with. */
export interface CopyFilesRequest {
  readonly step: TransferStep;
  /** Which archives are unpacked: those of the context, those fetched. */
  readonly unpack: { readonly local: boolean; readonly fetched: boolean };
  /** Of the Dockerfile, for errors. */
  readonly file: string;
  readonly context: BuildContext;
  readonly owner: Owner;
  /** Files that sources which are addresses stand for. */
  readonly fetched: ReadonlyMap<string, FetchedFile>;
}

/** What is copied: a file or folder of the context, a file fetched, a document. */
type Item =
  | { readonly name: string; readonly node: ContextNode; readonly word: Word }
  | { readonly name: string; readonly file: FetchedFile; readonly word: Word };

/**
 * Puts the files of a COPY or ADD into a layer.
 *
 * @throws SpacktainersError DEFINITION_INVALID with the place of the source that is wrong: it is not there, leads out of the context,
 *   or a file and a folder are in one another's way; ARCHIVE_INVALID, ARCHIVE_UNSAFE of archives
 */
export async function copyFiles(draft: LayerDraft, request: CopyFilesRequest): Promise<void> {
  const { step, owner, context } = request;
  const items = step.sources.flatMap((word): readonly Item[] => {
    const fetched = request.fetched.get(word.text);
    if (fetched !== undefined) return [{ name: fetched.name, file: fetched, word }];
    return sourcesOf(word, request).map((source) => ({ ...source, word }));
  });
  const isFolder = step.destination.endsWith("/");
  if (items.length + step.documents.length > 1) expectFolder(draft, request, isFolder);
  for (const item of items) {
    const archive =
      "node" in item
        ? request.unpack.local && item.node.type === "file"
          ? await openAddedArchive(() => context.read(item.node), {
              file: `${context.directory}/${item.node.path}`,
            })
          : undefined
        : request.unpack.fetched
          ? await openAddedArchive(() => item.file.open(), { file: item.name })
          : undefined;
    if (archive !== undefined) await unpackArchive(draft, request, archive, item.word);
    else if ("file" in item)
      putFile(draft, request, item.name, 0o600, item.file.size, () => item.file.open(), item.word);
    else if (item.node.type === "directory") copyFolder(draft, request, item.node, item.word);
    else copyFile(draft, request, item.name, item.node, item.word);
  }
  for (const { name, content } of step.documents) {
    const bytes = Buffer.from(content, "utf8");
    const [word] = step.sources;
    putFile(draft, request, name, 0o644, bytes.length, () => contentOf(bytes), word);
  }
  if (items.length + step.documents.length === 0)
    draft.makeDirectories(draft.realPath(step.destination), owner);
}

/**
 * What a source names in the context.
 *
 * @throws SpacktainersError DEFINITION_INVALID
 */
export function sourcesOf(
  word: Word,
  { file, context }: Pick<CopyFilesRequest, "file" | "context">,
): readonly ContextSource[] {
  const found = context.find(word.text);
  if (!("problem" in found)) return found;
  throw new SpacktainersError("DEFINITION_INVALID", found.problem, {
    place: { file, line: word.line, column: word.column },
    ...(found.hint === undefined ? {} : { hint: found.hint }),
  });
}

function wrong(
  request: CopyFilesRequest,
  word: Word | undefined,
  message: string,
  hint?: string,
): SpacktainersError {
  const place = word === undefined ? {} : { line: word.line, column: word.column };
  return new SpacktainersError("DEFINITION_INVALID", message, {
    place: { file: request.file, ...place },
    ...(hint === undefined ? {} : { hint }),
  });
}

function expectFolder(draft: LayerDraft, request: CopyFilesRequest, isFolder: boolean): void {
  const real = draft.realPath(request.step.destination);
  if (isFolder || real === "" || draft.tree.at(real)?.type === "directory") return;
  throw wrong(
    request,
    request.step.sources[0],
    `several files cannot be copied to ${printable(request.step.destination)}`,
    "end the destination with a / to say that it is a folder",
  );
}

/** Where a file goes: below the destination when that is a folder, else to it. */
function placeOfFile(draft: LayerDraft, request: CopyFilesRequest, name: string): string {
  const { step, owner } = request;
  const real = draft.realPath(step.destination);
  const isFolder = step.destination.endsWith("/") || real === "" || draft.tree.at(real)?.type === "directory";
  const folder = isFolder ? real : posix.dirname(`/${real}`).slice(1);
  if (folder !== "") expectFolders(draft, request, folder);
  draft.makeDirectories(folder, owner);
  return isFolder ? [folder, posix.basename(name)].filter((part) => part !== "").join("/") : real;
}

/** Nothing but folders may be on the way. */
function expectFolders(draft: LayerDraft, request: CopyFilesRequest, path: string): void {
  for (let at = path; at !== "" && at !== "."; at = posix.dirname(at)) {
    const entry = draft.tree.at(at);
    if (entry !== undefined && entry.type !== "directory")
      throw wrong(request, request.step.sources[0], `${printable(`/${at}`)} in the image is not a folder`);
  }
}

function putFile(
  draft: LayerDraft,
  request: CopyFilesRequest,
  name: string,
  mode: number,
  size: number,
  open: () => AsyncIterable<Uint8Array>,
  word: Word | undefined,
): void {
  const path = placeOfFile(draft, request, name);
  if (draft.tree.at(path)?.type === "directory")
    throw wrong(
      request,
      word,
      `${printable(`/${path}`)} in the image is a folder; a file cannot take its place`,
    );
  draft.put({
    type: "file",
    path,
    mode: changed(mode, false, request.step.chmod),
    mtime: imageMtime,
    ...request.owner,
    size,
    open,
  });
}

function copyFile(
  draft: LayerDraft,
  request: CopyFilesRequest,
  name: string,
  node: ContextNode,
  word: Word,
): void {
  if (node.type !== "file")
    throw wrong(request, word, `${printable(node.path)} is neither a file nor a folder`);
  const { mode, size } = node;
  putFile(draft, request, name, mode, size, () => request.context.read(node), word);
}

function copyFolder(draft: LayerDraft, request: CopyFilesRequest, folder: ContextNode, word: Word): void {
  const { step, owner } = request;
  const real = draft.realPath(step.destination);
  if (real !== "") {
    expectFolders(draft, request, real);
    const isNew = draft.tree.at(real) === undefined;
    draft.makeDirectories(real, owner);
    // A folder that is there keeps its mode, as with Docker; one that is made gets that of the source.
    if (isNew && folder.path !== "")
      draft.put({
        type: "directory",
        path: real,
        mode: changed(folder.mode, true, step.chmod),
        mtime: imageMtime,
        ...owner,
      });
  }
  copyContents(draft, request, folder, real, "", step.exclude, word);
}

function copyContents(
  draft: LayerDraft,
  request: CopyFilesRequest,
  folder: ContextNode,
  target: string,
  below: string,
  exclude: PathPatterns | undefined,
  word: Word,
): void {
  for (const node of request.context.children(folder.path)) {
    const name = posix.basename(node.path);
    const relative = below === "" ? name : `${below}/${name}`;
    const isExcluded = exclude?.matches(relative) === true;
    if (isExcluded && (node.type !== "directory" || exclude?.hasExceptions !== true)) continue;
    const path = target === "" ? name : `${target}/${name}`;
    if (node.type === "directory") {
      if (!isExcluded) putFolder(draft, request, node, path, word);
      copyContents(draft, request, node, path, relative, exclude, word);
      continue;
    }
    // What is taken back into a folder that is left out needs the folder.
    if (draft.tree.at(target) === undefined && target !== "") putFolder(draft, request, folder, target, word);
    if (draft.tree.at(path)?.type === "directory")
      throw wrong(
        request,
        word,
        `${printable(`/${path}`)} in the image is a folder; a file cannot take its place`,
      );
    const base = { path, mtime: imageMtime, ...request.owner };
    if (node.type === "symlink")
      draft.put({ ...base, type: "symlink", mode: 0o777, target: node.target ?? "" });
    else if (node.type === "file")
      draft.put({
        ...base,
        type: "file",
        mode: changed(node.mode, false, request.step.chmod),
        size: node.size,
        open: () => request.context.read(node),
      });
    else throw wrong(request, word, `${printable(node.path)} is neither a file nor a folder`);
  }
}

function putFolder(
  draft: LayerDraft,
  request: CopyFilesRequest,
  node: ContextNode,
  path: string,
  word: Word,
): void {
  const there = draft.tree.at(path);
  if (there !== undefined && there.type !== "directory")
    throw wrong(
      request,
      word,
      `${printable(`/${path}`)} in the image is ${there.type === "symlink" ? `a link to ${there.target ?? ""}` : "a file"}; a folder cannot take its place`,
      there.type === "symlink" ? "copy to where the link leads" : undefined,
    );
  draft.makeDirectories(posix.dirname(`/${path}`).slice(1), request.owner);
  draft.put({
    type: "directory",
    path,
    mode: changed(node.mode, true, request.step.chmod),
    mtime: imageMtime,
    ...request.owner,
  });
}

async function unpackArchive(
  draft: LayerDraft,
  request: CopyFilesRequest,
  archive: OpenedArchive,
  word: Word,
): Promise<void> {
  const { step, owner } = request;
  if (step.chmod !== undefined)
    throw new SpacktainersError("NOT_SUPPORTED", "--chmod does not apply to an archive that is unpacked", {
      place: { file: request.file, line: word.line, column: word.column },
      hint: "leave it out, or COPY the archive",
    });
  const real = draft.realPath(step.destination);
  if (real !== "") {
    expectFolders(draft, request, real);
    draft.makeDirectories(real, owner);
  }
  await unpackInto(draft, archive, real, step.chown === undefined ? undefined : owner);
}

function changed(mode: number, isDirectory: boolean, change: ModeChange | undefined): number {
  return change === undefined ? mode : change(mode, isDirectory);
}
