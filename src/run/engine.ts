/** Podman and Docker: bringing an image into their store, and the command that runs it there. */
import { access, mkdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type ImageIndex, mediaTypes } from "../archive/oci/types.ts";
import { writeTar } from "../archive/writeTar.ts";
import { dockerArchiveEntries } from "../image/dockerArchive.ts";
import { type OciImage, storedSize } from "../image/image.ts";
import { layoutBlobPath } from "../image/layoutFiles.ts";
import { localLayers } from "../image/registryLayer.ts";
import { temporaryPath } from "../util/atomicFile.ts";
import { hexOfDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { type EmitEvent, runTask } from "../util/events.ts";
import { stopIfAborted } from "../util/interruption.ts";
import { hostTag } from "../util/processes.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { findProgram, lastLine, runTool } from "../util/tool.ts";
import { withDescriptor } from "./containerProcess.ts";
import { engineBehind, engineUserOptions } from "./engineUser.ts";
import { descriptorOf, firstDescriptor, type Invocation, refuseHostMpi } from "./invocation.ts";
import { madeOnce } from "./madeOnce.ts";
import { mountOption } from "./mountOption.ts";
import type { ContainerProcess, GpuKind } from "./types.ts";

/** Engines of this kind take nearly the same commands. */
export type EngineName = "podman" | "podman-hpc" | "docker";

/** How to import. */
export interface ImportContext {
  readonly program: string;
  /** A folder for temporary files. */
  readonly scratch: string;
  readonly emit: EmitEvent;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Brings an image into the engine's store; done once for each image.
 * @returns what the engine knows it by
 * @throws SpacktainersError PROCESS_FAILED
 */
export async function importImage(
  engine: EngineName,
  image: OciImage,
  context: ImportContext,
): Promise<string> {
  const tag = hexOfDigest(image.manifest.descriptor.digest).slice(0, 16);
  const name = `localhost/spacktainers:${tag}`;
  const bytes = storedSize(image.manifest.value);
  const { program, scratch, emit, signal } = context;
  const label = `image into ${engine}`;
  const bring = (): Promise<void> =>
    runTask(emit, { kind: "write", subject: name, label, bytes, signal }, async () => {
      const failed =
        engine === "podman"
          ? await pullLayout(image, name, context)
          : await loadArchive(image, name, context);
      stopIfAborted(signal);
      if (failed !== undefined)
        throw new SpacktainersError("PROCESS_FAILED", `${engine} cannot import the image: ${failed}`);
      if (engine === "podman-hpc") await migrate(name, context);
    });
  await madeOnce(
    {
      // Engines have a store on each machine, where the cache may be of several.
      lock: join(scratch, `.${engine}-${hostTag}-${tag}.lock`),
      what: `bringing the image into ${engine}`,
      isThere: async () =>
        (await runTool([program, "image", "inspect", "--format", "{{.Id}}", name])).status === 0,
      make: bring,
    },
    context,
  );
  return name;
}

/** Lets podman-hpc put an image where the nodes see it. */
async function migrate(name: string, { program, signal }: ImportContext): Promise<void> {
  const moved = await runTool([program, "migrate", name], signal === undefined ? {} : { signal });
  stopIfAborted(signal);
  if (moved.status !== 0)
    throw new SpacktainersError(
      "PROCESS_FAILED",
      `podman-hpc cannot migrate the image: ${lastLine(moved.stderr) || `status ${moved.status}`}`,
    );
}

/**
 * Podman reads layouts; it gets one of its own with only this image, and the layers by links. An image whose layers are parts
 * of an archive goes by way of an archive of the kind that engines load.
 */
async function pullLayout(
  image: OciImage,
  name: string,
  context: ImportContext,
): Promise<string | undefined> {
  const layers = await localLayers(image);
  if (layers.some(({ extent }) => extent.offset > 0)) return loadArchive(image, name, context);
  await mkdir(context.scratch, { recursive: true });
  const folder = temporaryPath(context.scratch);
  const layout = join(folder, "image");
  try {
    await mkdir(join(layout, "blobs", "sha256"), { recursive: true });
    for (const { bytes, descriptor } of [image.manifest, await image.config()])
      await writeFile(layoutBlobPath(layout, descriptor.digest), bytes);
    for (const [digest, { path }] of new Map(layers.map((layer) => [layer.digest, layer.extent])))
      await symlink(resolve(path), layoutBlobPath(layout, digest));
    await writeFile(join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    await writeFile(join(layout, "index.json"), JSON.stringify(indexOf(image)));
    const options = { cwd: folder, signal: context.signal };
    const pulled = await runTool([context.program, "pull", "--quiet", "oci:image"], options);
    if (pulled.status !== 0) return lastLine(pulled.stderr) || `status ${pulled.status}`;
    const tagged = await runTool([context.program, "tag", lastLine(pulled.stdout), name]);
    return tagged.status === 0 ? undefined : lastLine(tagged.stderr);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function indexOf({ manifest }: OciImage): ImageIndex {
  const { digest, size } = manifest.descriptor;
  const mediaType = manifest.value.mediaType || mediaTypes.manifest;
  return { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [{ mediaType, digest, size }] };
}

/** Docker loads archives of its own kind (`docker save`); the layers may be compressed. */
async function loadArchive(
  image: OciImage,
  name: string,
  context: ImportContext,
): Promise<string | undefined> {
  const loaded = await runTool([context.program, "load", "--quiet"], {
    input: writeTar(dockerArchiveEntries(image, name), { trailer: true }),
    signal: context.signal,
  });
  return loaded.status === 0 ? undefined : lastLine(loaded.stderr) || `status ${loaded.status}`;
}

/** Variables that would change what the engine itself does if they were set for it. */
const engineVariable =
  /^(PATH|HOME|USER|LOGNAME|TMPDIR|HOSTNAME|LD_.*|GO.*|XDG_.*|DBUS_.*|CONTAINER.*|PODMAN_.*|DOCKER_.*|STORAGE_.*|BUILDAH_.*|REGISTRY_.*|NOTIFY_SOCKET|LISTEN_.*|_CONTAINERS_.*|.*_proxy|.*_PROXY)$/;

/** What is run, and from which image. */
export interface EngineStart {
  readonly image: string;
  readonly container: ContainerProcess;
  readonly writeEnvFile: (text: string) => Promise<string>;
}

/**
 * The command that runs a container. Values of variables are not on it, where everybody on the machine could read them: they are
 * inherited, or, where that would change the engine's own behaviour, read from a file.
 *
 * @param writeEnvFile keeps text in a private file; returns its path
 */
export async function engineInvocation(
  engine: EngineName,
  program: string,
  { image, container, writeEnvFile }: EngineStart,
): Promise<Invocation> {
  refuseHostMpi(engine, container);
  const [entrypoint, ...args] = container.argv;
  const options = ["--rm", "--interactive", `--network=${container.network}`, ...(await sharedMemory())];
  if (container.tty) options.push("--tty");
  if (container.launch?.descriptor !== undefined) {
    if (engine === "docker")
      throw new SpacktainersError(
        "NOT_SUPPORTED",
        "Docker cannot hand the launcher's socket (PMI_FD) to a container",
        {
          hint: "use Podman, Apptainer or spacktainers' own runner, or --mpi none for ranks that are independent of one another",
        },
      );
    options.push("--preserve-fds=1");
  }
  // A program that is the first of its process numbers ignores the signals it does not handle: put something before it. Ranks in
  // several containers name what they share by their process numbers, which therefore must differ.
  const ranks = container.launch !== undefined;
  options.push(!ranks && (engine === "docker" || (await hasInit())) ? "--init" : "--pid=host");
  options.push(...(container.launch?.devices ?? []).map((path) => `--device=${path}`));
  options.push(...gpuOptions(engine, container.gpu));
  options.push(...(await engineUserOptions(await behind(engine, program), program, container)));
  if (container.readOnly)
    options.push("--read-only", ...(engine === "docker" ? ["--tmpfs=/tmp", "--tmpfs=/run"] : []));
  // SELinux would otherwise keep the container from our files.
  if (engine !== "docker" && container.binds.length > 0) options.push("--security-opt=label=disable");
  options.push(...container.binds.map((bind) => `--mount=${mountOption(bind, "target", "readonly")}`));
  const env: NodeJS.ProcessEnv = { ...hostEnvironment() };
  const lines: string[] = [];
  for (const [name, value] of withDescriptor(container, firstDescriptor).extraEnv) {
    if (!engineVariable.test(name)) {
      env[name] = value;
      options.push(`--env=${name}`);
    } else if (/[\r\n]/.test(value) || /\s|^#/.test(name)) {
      throw new SpacktainersError(
        "NOT_SUPPORTED",
        `${engine} cannot be given ${name} with a line break in it`,
      );
    } else lines.push(`${name}=${value}\n`);
  }
  if (lines.length > 0) options.push(`--env-file=${await writeEnvFile(lines.join(""))}`);
  return {
    argv: [
      program,
      "run",
      ...options,
      `--workdir=${container.workdir}`,
      `--entrypoint=${entrypoint}`,
      image,
      ...args,
    ],
    env,
    ...descriptorOf(container),
  };
}

/**
 * Options for graphics processors. Podman takes NVIDIA's from the container device interface (`nvidia-ctk cdi generate`), Docker from
 * NVIDIA's toolkit; AMD's are devices like others.
 */
function gpuOptions(engine: EngineName, gpu: GpuKind | undefined): readonly string[] {
  if (gpu === undefined) return [];
  if (engine === "podman-hpc") {
    if (gpu === "nvidia") return ["--gpu"];
    throw new SpacktainersError("NOT_SUPPORTED", "podman-hpc knows the drivers of NVIDIA only");
  }
  if (gpu === "nvidia") return engine === "podman" ? ["--device=nvidia.com/gpu=all"] : ["--gpus=all"];
  const group = engine === "podman" ? "keep-groups" : "video";
  return ["--device=/dev/kfd", "--device=/dev/dri", `--group-add=${group}`];
}

/** What makes users: Podman, behind its wrapper too. */
async function behind(engine: EngineName, program: string): Promise<"podman" | "docker"> {
  return engine === "podman-hpc" ? "podman" : engineBehind(engine, program);
}

/** Ranks in several containers on one machine talk through its shared memory, and 64 MB of their own would not do for many. */
async function sharedMemory(): Promise<readonly string[]> {
  const queues = await stat("/dev/mqueue").catch(() => undefined);
  // Engines want the message queues as well for the one option, and some machines have none.
  return queues === undefined ? ["--mount=type=bind,source=/dev/shm,target=/dev/shm"] : ["--ipc=host"];
}

/** Podman needs a program for `--init` that is often not installed with it. */
async function hasInit(): Promise<boolean> {
  const folders = ["/usr/libexec/podman", "/usr/lib/podman", "/usr/local/libexec/podman"];
  for (const folder of folders) {
    const found = await access(join(folder, "catatonit")).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return (await findProgram("catatonit")) !== undefined;
}

/**
 * Starts a shell in the image and lets it end at once: an engine that is installed need not be able to run anything.
 * @returns why it cannot, or undefined
 */
export async function engineTrouble(
  engine: EngineName,
  program: string,
  image: string,
  container: ContainerProcess,
): Promise<string | undefined> {
  const user = await engineUserOptions(await behind(engine, program), program, container);
  const options = ["--rm", "--network=host", ...(await sharedMemory()), ...user, "--entrypoint=/bin/sh"];
  const result = await runTool([program, "run", ...options, image, "-c", ":"], { timeout: 60_000 });
  // 127: everything was set up, the image just has no shell.
  return result.status === 0 || result.status === 127
    ? undefined
    : lastLine(result.stderr) || `status ${result.status}`;
}
