/** Runs one command on an image without a container engine, and tells what it changed. */
import { lstat, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { EntryStream } from "../archive/entry.ts";
import { readTar } from "../archive/readTar.ts";
import { temporaryPath } from "../util/atomicFile.ts";
import { SpacktainersError } from "../util/errors.ts";
import { shellWord } from "../util/shellQuote.ts";
import { findProgram } from "../util/tool.ts";
import { chooseIdMap, type IdMap, singleIdMap } from "./idMap.ts";
import { runNamespaceScript, startInNamespace } from "./namespaceProcess.ts";
import { assignmentScript } from "./namespaceScripts.ts";
import { type LayerSource, ownedLayers, removeOwned } from "./ownedLayers.ts";
import { pretendScript } from "./pretendScript.ts";
import { lookUpPath } from "./rootView.ts";
import { sandboxScript } from "./sandboxScripts.ts";

/** Something mounted for a command. Paths are relative to the root and free of links. */
export interface SandboxMount {
  /** Absolute, on this machine; undefined: a file system in memory. */
  readonly source: string | undefined;
  readonly path: string;
  /** `ro`, `rw`; of a file system in memory, its options. */
  readonly options: string;
}

/** A command on an image. */
export interface SandboxRequest {
  /** From bottom to top. */
  readonly layers: readonly LayerSource[];
  readonly argv: readonly [string, ...string[]];
  readonly env: ReadonlyMap<string, string>;
  /** As in an image's configuration: names or numbers; undefined: root. */
  readonly user: string | undefined;
  readonly workingDirectory: string;
  readonly network: "host" | "none";
  /** Directories and files that are missing, and needed to mount on; relative, parents first. */
  readonly directories: readonly string[];
  readonly files: readonly string[];
  readonly mounts: readonly SandboxMount[];
  readonly onOutput: (chunk: Buffer) => void;
}

/** Where the sandbox works. */
export interface SandboxContext {
  /** The folder `buildroot` of the cache. */
  readonly directory: string;
  readonly signal: AbortSignal | undefined;
}

/** What became of a command. */
export interface SandboxResult {
  readonly status: number;
  /** Users that files can belong to; `single`: what the command gave to others belongs to root. */
  readonly users: IdMap["kind"];
  /** What it changed, as a layer: entries in a fixed order, `.wh.` names for what it removed. To be read once, before {@link close}. */
  changes(): EntryStream;
  /** Removes all of it. */
  close(): Promise<void>;
}

/** Program names that a sandbox is made with. */
const tools = ["unshare", "setpriv", "mount", "tar"];

/** Whether commands can be run here without a container engine. @returns why not, or undefined */
export async function sandboxTrouble(): Promise<string | undefined> {
  if (process.platform !== "linux") return "it takes Linux";
  for (const tool of tools)
    if ((await findProgram(tool)) === undefined) return `the program ${tool} is not here`;
  return undefined;
}

/** Whether this user can make namespaces and stack layers in them. @returns why not, or undefined */
export async function namespacesTrouble(): Promise<string | undefined> {
  const script = `
mount -t tmpfs tmpfs /mnt && mkdir /mnt/a /mnt/u /mnt/w /mnt/r &&
  mount -t overlay -o lowerdir=/mnt/a,upperdir=/mnt/u,workdir=/mnt/w,userxattr overlay /mnt/r || exit 3
`;
  try {
    const { status, errors } = await runNamespaceScript(await usableMap(), script);
    return status === 0 ? undefined : `layers cannot be stacked (${errors.trim().split("\n").at(-1) ?? ""})`;
  } catch (error) {
    return error instanceof SpacktainersError ? error.message : String(error);
  }
}

/**
 * Runs a command.
 *
 * @throws SpacktainersError RUNTIME_MISSING (no namespaces here), PROCESS_FAILED (the sandbox could not be made), DEFINITION_INVALID
 *   (no such user in the image), INTERRUPTED, DISK_FULL
 */
export async function runInSandbox(
  request: SandboxRequest,
  { directory, signal }: SandboxContext,
): Promise<SandboxResult> {
  const map = await usableMap();
  const context = { directory, map, signal };
  const stack = await ownedLayers(request.layers, context);
  const folder = temporaryPath(join(directory, map.kind));
  await mkdir(folder, { recursive: true });
  const close = (): Promise<void> => removeOwned(folder, context);
  try {
    const names = await prepare(folder, stack);
    const user = await userOf(request.user, stack);
    const isSingle = map.kind === "single";
    const pretend = isSingle ? await writePretend(folder) : "";
    const apt = isSingle && !request.env.has("APT_CONFIG") ? await writeAptConfiguration(folder) : undefined;
    const mounts = [...request.mounts, ...(apt?.mounts ?? [])];
    const { text, wrapped } = environmentOf(
      { ...request, env: new Map([...(apt?.env ?? []), ...request.env]) },
      user.home,
    );
    const task = await startInNamespace({
      map,
      withoutNetwork: request.network === "none",
      script: sandboxScript,
      arguments: [
        names.reverse().join(":"),
        pretend,
        // A user who cannot become anybody else stays root.
        ...(isSingle ? ["0", "0"] : [String(user.uid), String(user.gid)]),
        request.workingDirectory,
        ...counted(request.directories),
        ...counted(request.files),
        String(mounts.length),
        ...mounts.flatMap(({ source, path, options }) => [source ?? "tmpfs", path, options]),
        ...wrapped,
      ],
      cwd: folder,
      input: undefined,
      environment: text,
      onOutput: request.onOutput,
      signal,
    });
    const { status, report } = await task.finished();
    if (!report.includes("ready\n"))
      throw new SpacktainersError(
        "PROCESS_FAILED",
        `the command could not be started: ${report.trim().split("\n").at(-1) || `status ${status}`}`,
        { hint: "Podman or Buildah may be able to, if one is installed" },
      );
    const made = new Set([...request.directories, ...request.files]);
    return {
      status,
      users: map.kind,
      changes: () => changesIn(join(folder, "upper"), made, map, signal),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function counted(list: readonly string[]): readonly string[] {
  return [String(list.length), ...list];
}

/** What the user is promised need not be what the machine allows: a container may forbid programs to change users. */
async function usableMap(): Promise<IdMap> {
  const wanted = await chooseIdMap();
  if (wanted.kind === "single") return wanted;
  const works = await runNamespaceScript(wanted, "exit 0").then(
    ({ status }) => status === 0,
    () => false,
  );
  return works ? wanted : singleIdMap();
}

/** The folders of a run. @returns short names of the layers, from bottom to top: the kernel wants all of them in one page */
async function prepare(folder: string, stack: readonly string[]): Promise<string[]> {
  for (const name of ["upper", "work", "root"]) await mkdir(join(folder, name), { mode: 0o755 });
  const layers = stack.length === 0 ? [join(folder, "root")] : stack;
  return Promise.all(
    layers.map(async (layer, index) => {
      const name = index.toString(36);
      await symlink(layer, join(folder, name));
      return name;
    }),
  );
}

async function writePretend(folder: string): Promise<string> {
  const script = pretendScript();
  if (script === undefined || (await findProgram("perl")) === undefined) return "";
  await writeFile(join(folder, "pretend.pl"), script);
  return "pretend.pl";
}

/** apt becomes a user of its own to download, and looks whether it did. */
async function writeAptConfiguration(
  folder: string,
): Promise<{ readonly mounts: readonly SandboxMount[]; readonly env: ReadonlyMap<string, string> }> {
  const source = join(folder, "apt.conf");
  await writeFile(source, 'APT::Sandbox::User "root";\n');
  const path = "dev/pipes/apt.conf";
  return { mounts: [{ source, path, options: "ro" }], env: new Map([["APT_CONFIG", `/${path}`]]) };
}

/**
 * The environment as a script, and the command line. Variables of the dynamic loader would change the machine's programs that start the
 * command: the image's shell sets them.
 */
function environmentOf(
  { env, argv }: SandboxRequest,
  home: string,
): { readonly text: string; readonly wrapped: readonly string[] } {
  const all = new Map([["HOME", home], ...env]);
  const loader = [...all].filter(([name]) => name.startsWith("LD_"));
  const { text } = assignmentScript(new Map([...all].filter(([name]) => !name.startsWith("LD_"))));
  if (loader.length === 0) return { text, wrapped: argv };
  const exports = loader.map(([name, value]) => `export ${name}=${shellWord(value)}; `).join("");
  return { text, wrapped: ["/bin/sh", "-c", `${exports}exec "$@"`, "sh", ...argv] };
}

interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** A user of the image, by number; `name`, `number`, with `:group` of either kind. */
async function userOf(text: string | undefined, stack: readonly string[]): Promise<ContainerUser> {
  const [who = "", group] = (text ?? "0").split(":");
  const passwd = await linesOf("etc/passwd", stack);
  const entry = passwd.find(([name, , uid]) => name === who || uid === who);
  if (entry === undefined && !/^\d{1,9}$/.test(who))
    throw new SpacktainersError("DEFINITION_INVALID", `the image has no user ${who}`, {
      hint: "make it in a RUN before, or give a number",
    });
  const uid = entry === undefined ? Number(who) : Number(entry[2]);
  const gid = group === undefined ? Number(entry?.[3] ?? 0) : await groupOf(group, stack);
  return { uid, gid, home: entry?.[5] || (uid === 0 ? "/root" : "/") };
}

async function groupOf(text: string, stack: readonly string[]): Promise<number> {
  const entry = (await linesOf("etc/group", stack)).find(([name, , gid]) => name === text || gid === text);
  if (entry !== undefined) return Number(entry[2]);
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new SpacktainersError("DEFINITION_INVALID", `the image has no group ${text}`, {
    hint: "make it in a RUN before, or give a number",
  });
}

async function linesOf(path: string, stack: readonly string[]): Promise<readonly (readonly string[])[]> {
  const found = await lookUpPath(stack, path).catch(() => undefined);
  if (found?.kind !== "file" || !(await lstat(found.file)).isFile()) return [];
  const text = await readFile(found.file, "utf8").catch(() => "");
  return text.split("\n").map((line) => line.split(":"));
}

/** Packs what lies above the image's layers, sorted, attributes included. */
const pack = `
cd "$1" && exec tar --create --file=- --numeric-owner --sort=name --format=pax \\
  --pax-option=delete=atime,delete=ctime --xattrs '--xattrs-include=*' .
`;

async function* changesIn(
  upper: string,
  made: ReadonlySet<string>,
  map: IdMap,
  signal: AbortSignal | undefined,
): EntryStream {
  const task = await startInNamespace({
    map,
    withoutNetwork: false,
    script: pack,
    arguments: [upper],
    cwd: "/",
    input: undefined,
    environment: "",
    onOutput: undefined,
    signal,
  });
  const where = { file: upper };
  for await (const entry of readTar(task.output, {
    where,
    xattrs: true,
    deviceWhiteouts: true,
    absolute: "relative",
  })) {
    const isPlace =
      made.has(entry.path) && (entry.type === "directory" || (entry.type === "file" && entry.size === 0));
    if (isPlace) continue;
    const { xattrs, ...plain } = entry;
    const kept = new Map(
      [...(xattrs ?? [])].filter(([name]) => name === "security.capability" || isUsers(name)),
    );
    yield kept.size === 0 ? plain : { ...plain, xattrs: kept };
    const opaque = xattrs?.get("user.overlay.opaque") ?? xattrs?.get("trusted.overlay.opaque");
    if (entry.type === "directory" && opaque !== undefined && opaque[0] === 0x79)
      yield {
        ...plain,
        type: "file",
        path: `${entry.path}/.wh..wh..opq`,
        mode: 0,
        size: 0,
        content: nothing(),
      };
  }
  const { status, errors } = await task.finished();
  if (status !== 0)
    throw new SpacktainersError(
      "PROCESS_FAILED",
      `what the command changed cannot be read: ${errors.trim()}`,
    );
}

function isUsers(name: string): boolean {
  return name.startsWith("user.") && !name.startsWith("user.overlay.");
}

async function* nothing(): AsyncGenerator<Uint8Array, void, void> {}
