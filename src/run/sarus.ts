/** Sarus: bringing an image into its store, and the command that runs it there. Source: Sarus user guide, release 1.7. */

import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { writeTar } from "../archive/writeTar.ts";
import { dockerArchiveEntries } from "../image/dockerArchive.ts";
import { type OciImage, storedSize } from "../image/image.ts";
import { temporaryPath } from "../util/atomicFile.ts";
import { hexOfDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { runTask } from "../util/events.ts";
import { stopIfAborted } from "../util/interruption.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { lastLine, runTool } from "../util/tool.ts";
import { withDescriptor } from "./containerProcess.ts";
import type { ImportContext } from "./engine.ts";
import { descriptorOf, firstDescriptor, type Invocation } from "./invocation.ts";
import { madeOnce } from "./madeOnce.ts";
import type { Bind, ContainerProcess } from "./types.ts";

/**
 * Brings an image into the user's store of Sarus (`sarus load`), done once for each image.
 * @returns what Sarus knows it by
 * @throws SpacktainersError PROCESS_FAILED, INTERRUPTED
 */
export async function loadIntoSarus(image: OciImage, context: ImportContext): Promise<string> {
  const { program, scratch } = context;
  const tag = hexOfDigest(image.manifest.descriptor.digest).slice(0, 16);
  const isLoaded = async (): Promise<boolean> =>
    (await runTool([program, "images"])).stdout
      .split("\n")
      .some((line) => line.includes("load/library/spacktainers") && line.includes(tag));
  await madeOnce(
    {
      lock: join(scratch, `.sarus-${tag}.lock`),
      what: "loading the image into sarus",
      isThere: isLoaded,
      make: () => load(image, `spacktainers:${tag}`, context),
    },
    context,
  );
  return `load/library/spacktainers:${tag}`;
}

async function load(
  image: OciImage,
  name: string,
  { program, scratch, emit, signal }: ImportContext,
): Promise<void> {
  const archive = `${temporaryPath(scratch)}.tar`;
  const bytes = storedSize(image.manifest.value);
  const task = { kind: "write", subject: name, label: "image into sarus", bytes, signal } as const;
  await runTask(emit, task, async () => {
    try {
      await pipeline(
        writeTar(dockerArchiveEntries(image, name), { trailer: true }),
        createWriteStream(archive, { mode: 0o600 }),
        ...(signal === undefined ? [] : [{ signal }]),
      );
      const loaded = await runTool([program, "load", archive, name], signal === undefined ? {} : { signal });
      stopIfAborted(signal);
      if (loaded.status !== 0)
        throw new SpacktainersError(
          "PROCESS_FAILED",
          `sarus cannot load the image: ${lastLine(loaded.stderr) || `status ${loaded.status}`}`,
        );
    } catch (error) {
      // What the abort made fail is no news.
      stopIfAborted(signal);
      throw error;
    } finally {
      await rm(archive, { force: true });
    }
  });
}

/**
 * The command that runs a container. Sarus passes the caller's environment on by itself; the image's variables lie over it, and ours
 * over those. Their values are inherited, not put on the command line.
 *
 * @param image as `sarus images` shows it
 * @throws SpacktainersError NOT_SUPPORTED for what Sarus has no option for
 */
export function sarusInvocation(program: string, image: string, container: ContainerProcess): Invocation {
  const lacking = container.readOnly
    ? "refuse writing in the container's files"
    : container.network === "none"
      ? "keep a container from the network"
      : container.fakeroot
        ? "make a user root of a container"
        : undefined;
  if (lacking !== undefined) throw new SpacktainersError("NOT_SUPPORTED", `Sarus cannot ${lacking}`);
  const options = [...(container.tty ? ["--tty"] : []), ...container.binds.map(sarusMount)];
  if (container.hostMpi) options.push("--mpi");
  const env: NodeJS.ProcessEnv = { ...hostEnvironment() };
  const own = new Map(withDescriptor(container, firstDescriptor).extraEnv);
  // NVIDIA's hook goes by this variable; Slurm sets CUDA_VISIBLE_DEVICES for what a job was given, and Sarus reads that first.
  if (container.gpu === "nvidia" && hostEnvironment().CUDA_VISIBLE_DEVICES === undefined)
    own.set("NVIDIA_VISIBLE_DEVICES", "all");
  for (const [name, value] of own) {
    env[name] = value;
    options.push(`--env=${name}`);
  }
  return {
    // The entrypoint is in the command already; only as a word of its own is an empty one understood.
    argv: [
      program,
      "run",
      ...options,
      `--workdir=${container.workdir}`,
      "--entrypoint",
      "",
      image,
      ...container.argv,
    ],
    env,
    ...descriptorOf(container),
  };
}

/**
 * A bind as Sarus writes it. It knows no quoting.
 * @throws SpacktainersError NOT_SUPPORTED for paths with a comma
 */
export function sarusMount(bind: Bind): string {
  for (const path of [bind.source, bind.target])
    if (/[,"\n]/.test(path))
      throw new SpacktainersError(
        "NOT_SUPPORTED",
        `Sarus cannot bind a path with a comma or quote in it: ${path}`,
      );
  return `--mount=type=bind,source=${bind.source},destination=${bind.target}${bind.readOnly ? ",readonly" : ""}`;
}
