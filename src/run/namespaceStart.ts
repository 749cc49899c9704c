/** What our own runner's scripts are given: the same for a program that is watched and for one that is left alone. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Image } from "../image/image.ts";
import { writeFileAtomically } from "../util/atomicFile.ts";
import { digestOf, hexOfDigest } from "../util/digest.ts";
import { hostPath } from "../util/hostPath.ts";
import { withDescriptor } from "./containerProcess.ts";
import { type FittedRoot, fitRoot } from "./fitRoot.ts";
import { hostFiles } from "./hostFiles.ts";
import { mountPointsBelow } from "./mountPoints.ts";
import {
  assignmentScript,
  guardScript,
  innerScript,
  joinScript,
  launcherDescriptor,
  outerScript,
  placeScript,
} from "./namespaceScripts.ts";
import { lookUpPath } from "./rootView.ts";
import type { ContainerProcess } from "./types.ts";
import { mergedLayers, stackedLayers, type UnpackContext } from "./unpackedLayers.ts";
import { cloneWithAdditions, writeAdditions } from "./writeAdditions.ts";

/** What the machine's kernel lets us do. */
export interface NamespaceAbilities {
  /** Mounting a stack of directories in a user namespace (Linux 5.11). */
  readonly overlay: boolean;
  /** Process numbers of our own; needs a `/proc` of our own. */
  readonly processNumbers: boolean;
}

/** A rank's root that others may join: the file that says who makes it, and that file's name once it is there. */
export interface SharedRoot {
  readonly claim: string;
  readonly ready: string;
}

/** A rank whose namespaces are there. */
export interface JoinedRank {
  readonly pid: number;
  /** The link of its user namespace. */
  readonly namespace: string;
}

/** A container that can be started; all paths in the commands are relative to the folder with the unpacked layers. */
export interface NamespaceStart {
  /** Decides what root the program gets: equal keys, equal roots. */
  readonly key: string;
  /** Assignments for a shell. */
  readonly environment: string;
  /** The socket of an MPI launcher. */
  readonly descriptor: number | undefined;
  /** The image has a shell, which those who join another's root need. */
  readonly hasShell: boolean;
  /** The command whose last process waits for the program. */
  readonly watched: readonly [string, ...string[]];
  /** The command that becomes the program. */
  readonly alone: (shared: SharedRoot | undefined) => readonly [string, ...string[]];
  /** The command that becomes the program in the namespaces of another, or, where that one is gone, in its own. */
  readonly joining: (rank: JoinedRank) => readonly [string, ...string[]];
}

/**
 * Unpacks the image, works out its root, and writes the scripts.
 *
 * @throws SpacktainersError as `stackedLayers` and `fitRoot`
 */
export async function prepareNamespace(
  image: Image,
  container: ContainerProcess,
  context: UnpackContext,
  abilities: NamespaceAbilities,
): Promise<NamespaceStart> {
  const layers = abilities.overlay
    ? await stackedLayers(image, context)
    : [await mergedLayers(image, context)];
  const stack = layers.map((id) => join(context.directory, id, "fs"));
  const devices = (container.launch?.devices ?? [])
    .filter((path) => !container.binds.some(({ target }) => target === path))
    .map((path) => ({ source: path, target: path, readOnly: false }));
  const all = { ...container, binds: [...container.binds, ...devices] };
  const fitted = await fitRoot(stack, all, await hostFiles(container.network), container.user);
  await mkdir(join(context.directory, "mnt"), { recursive: true });
  const root = await rootArguments(layers, fitted, context, abilities);
  const { env } = withDescriptor(container, launcherDescriptor);
  const { text, skipped } = assignmentScript(new Map([["HOME", fitted.home], ...env]));
  for (const name of skipped)
    context.emit({
      type: "warning",
      code: "NOTICE",
      message: `the variable ${name} cannot be set in the container`,
    });
  const readOnly = await readOnlyPlaces(fitted, container);
  const script = (content: string): Promise<string> => scriptFile(context.directory, content);
  const [guard, outer] = [await script(guardScript), await script(outerScript)];
  const [place, inner, joining] = [
    await script(placeScript),
    await script(innerScript),
    await script(joinScript),
  ];
  const namespaces = ["-U", "-r", "-m", ...(container.network === "none" ? ["-n"] : [])];
  const words = [
    ...root,
    container.network,
    container.readOnly ? "ro" : "rw",
    String(container.user.uid),
    String(container.user.gid),
    String(fitted.temporary.length),
    ...fitted.temporary,
    String(fitted.binds.length),
    ...fitted.binds.flatMap((bind) => [bind.source, bind.path, bind.make]),
    String(readOnly.length),
    ...readOnly,
    place,
    inner,
  ];
  const program = [container.workdir, ...container.argv];
  const alone = (shared: SharedRoot | undefined): readonly [string, ...string[]] => [
    "unshare",
    ...[...namespaces, "sh", outer, "alone", shared?.claim ?? "-", shared?.ready ?? "-"],
    ...[...words, ...program],
  ];
  return {
    key: hexOfDigest(digestOf(JSON.stringify([context.directory, ...words]))).slice(0, 32),
    environment: text,
    descriptor: container.launch?.descriptor,
    hasShell: (await lookUpPath(stack, "bin/sh").catch(() => undefined))?.kind === "file",
    watched: [
      "unshare",
      ...[...namespaces, ...(abilities.processNumbers ? ["-p"] : [])],
      ...["sh", guard, outer, "watched", "-", "-", ...words, ...program],
    ],
    alone,
    joining: ({ pid, namespace }) => [
      "sh",
      ...[joining, String(pid), namespace, String(program.length)],
      ...alone(undefined),
    ],
  };
}

/** Variables for the machine's own programs; the container's must not reach them (LD_LIBRARY_PATH, PATH). */
export function toolEnvironment(): NodeJS.ProcessEnv {
  return { PATH: hostPath(), LC_ALL: "C", LIBMOUNT_FORCE_MOUNT2: "always" };
}

/** Places to be made read-only: the machine's `/sys`, and binds that are to be, with what is mounted inside them. */
async function readOnlyPlaces(fitted: FittedRoot, container: ContainerProcess): Promise<readonly string[]> {
  const trees = fitted.binds.filter((bind) => bind.readOnly);
  const sys = { source: "/sys", path: "sys" };
  const places = [];
  for (const { source, path } of [...(container.network === "host" ? [sys] : []), ...trees])
    places.push(path, ...(await mountPointsBelow(source)).map((point) => `${path}/${point}`));
  // A writable bind inside a read-only one stays writable: it is mounted on top.
  const writable = fitted.binds.filter((bind) => !bind.readOnly).map((bind) => bind.path);
  return places.filter((place) => !writable.includes(place));
}

/** Keeps a script in a file, named relative to `directory`: command lines in process lists stay readable. */
async function scriptFile(directory: string, script: string): Promise<string> {
  const name = `${hexOfDigest(digestOf(script)).slice(0, 16)}.sh`;
  const path = join(directory, name);
  if ((await readFile(path, "utf8").catch(() => undefined)) !== script)
    await writeFileAtomically(path, script);
  return name;
}

async function rootArguments(
  layers: readonly string[],
  fitted: FittedRoot,
  context: UnpackContext,
  abilities: NamespaceAbilities,
): Promise<readonly [string, string]> {
  if (abilities.overlay) {
    const top = await writeAdditions(fitted.additions, context);
    return ["overlay", [top, ...[...layers].reverse()].map((id) => `${id}/fs`).join(":")];
  }
  context.emit({
    type: "warning",
    code: "NOTICE",
    message: "this kernel cannot stack directories for users: the container's root is read-only",
  });
  const id = await cloneWithAdditions(layers[0] ?? "", fitted.additions, context);
  return ["directory", `${id}/fs`];
}
