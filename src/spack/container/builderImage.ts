/** Finding a builder image: in an engine's store, in a registry, or as files, and what the engine knows it by. */
import { existsSync } from "node:fs";
import { mkdir, rename, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import type { BuilderEngine } from "../../definitions/executorNames.ts";
import { hostArchitecture } from "../../definitions/hostArchitecture.ts";
import { openLayout } from "../../image/openLayout.ts";
import { openOciArchive } from "../../image/openOciArchive.ts";
import { type ImportContext, importImage } from "../../run/engine.ts";
import { temporaryPath } from "../../util/atomicFile.ts";
import { type Digest, digestOf, hexOfDigest, parseDigest } from "../../util/digest.ts";
import { digestOfFile } from "../../util/digestOfFile.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { hostTag } from "../../util/processes.ts";
import { removeIfPossible } from "../../util/removeIfPossible.ts";
import { lastLine, runTool } from "../../util/tool.ts";

/** An engine cannot run the image; another one may. */
export class EngineTrouble extends Error {}

/** What the names of our containers begin with, before the number of our process. */
export const namePrefix = `spacktainers-builder-${hostTag.toLowerCase()}-`;
let count = 0;

/** A name for a container, by which it is known to whom it belongs. */
export function containerName(): string {
  count++;
  return `${namePrefix}${process.pid}-${count}`;
}

/** An image as an engine has it. */
export interface FoundBuilderImage {
  /** What the engine knows it by; of Buildah: a working container. */
  readonly reference: string;
  /** Changes with its contents. */
  readonly id: string;
  /** See `BuilderContainer`. Asked for only by those who need it, since files are read for it. */
  readonly digest: () => Promise<Digest | undefined>;
}

/** What finding it needs. */
export interface FindImageOptions {
  /** Folder where what is made of an image is kept. */
  readonly home: string;
  /** Folder for temporary files, which exists. */
  readonly temporary: string;
  readonly emit: EmitEvent;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds an image, and brings it to where the engine can run it.
 *
 * @throws EngineTrouble when it cannot
 */
export async function findBuilderImage(
  engine: BuilderEngine,
  program: string,
  image: string,
  options: FindImageOptions,
): Promise<FoundBuilderImage> {
  switch (engine) {
    case "podman":
    case "docker":
      return engineImage(engine, program, image, options);
    case "buildah":
      return buildahImage(program, image, options);
    case "apptainer":
    case "singularity":
      return apptainerImage(program, image, options);
  }
}

/** Whether an image is a file or folder of this machine. */
function isPath(image: string): boolean {
  return (image.startsWith("/") || image.startsWith("./") || image.startsWith("../")) && existsSync(image);
}

const isLayout = (path: string): boolean => existsSync(join(path, "oci-layout"));

/** Buildah runs commands in a container that is made beforehand. */
async function buildahImage(
  program: string,
  image: string,
  { temporary, signal }: FindImageOptions,
): Promise<FoundBuilderImage> {
  const name = containerName();
  // Buildah turns a path into a name, which must be in lower case: it gets a name made here.
  const folder = temporaryPath(temporary);
  await mkdir(folder);
  try {
    if (isPath(image)) await symlink(image, join(folder, "image"));
    const source = isPath(image) ? `${isLayout(image) ? "oci" : "oci-archive"}:image` : image;
    const made = await runTool([program, "from", "--pull=missing", `--name=${name}`, source], {
      cwd: folder,
      ...(signal === undefined ? {} : { signal }),
    });
    if (made.status !== 0) throw new EngineTrouble(lastLine(made.stderr));
    const asked = await runTool([program, "inspect", "--format", "{{.FromImageID}}", name]);
    const digest = async () => {
      const said = await runTool([program, "inspect", "--format", "{{.FromImageDigest}}", name]);
      return parseDigest(said.stdout.trim());
    };
    return { reference: name, id: asked.stdout.trim(), digest };
  } finally {
    await removeIfPossible(folder);
  }
}

async function engineImage(
  engine: "podman" | "docker",
  program: string,
  image: string,
  { temporary, emit, signal }: FindImageOptions,
): Promise<FoundBuilderImage> {
  const context = { program, scratch: temporary, emit, ...(signal === undefined ? {} : { signal }) };
  const reference = isPath(image)
    ? await importPath(engine, image, context)
    : await inStore(engine, program, image, { emit, signal });
  const asked = await runTool([program, "image", "inspect", "--format", "{{.Id}}", reference], {
    timeout: 60_000,
  });
  if (asked.status !== 0) throw new EngineTrouble(lastLine(asked.stderr));
  return { reference, id: asked.stdout.trim(), digest: () => storedDigest(program, reference) };
}

/** The digest of an image in the store of Podman or Docker: that of its manifest, else (images built by Docker have none) its own name. */
async function storedDigest(program: string, reference: string): Promise<Digest | undefined> {
  const asked = await runTool([program, "image", "inspect", "--format", "{{json .}}", reference], {
    timeout: 60_000,
  });
  if (asked.status !== 0) return undefined;
  return imageDigest(asked.stdout);
}

const inspected = z.object({
  Id: z.string(),
  Digest: z.string().optional(),
  RepoDigests: z.array(z.string()).nullish(),
});

/** The digest in what `image inspect` of Podman or Docker says of an image, as JSON; undefined when there is none. */
export function imageDigest(text: string): Digest | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const image = inspected.safeParse(json).data;
  if (image === undefined) return undefined;
  const named = image.RepoDigests?.[0];
  const own = image.Id.startsWith("sha256:") ? image.Id : `sha256:${image.Id}`;
  return (
    parseDigest(image.Digest ?? "") ??
    parseDigest(named?.slice(named.lastIndexOf("@") + 1) ?? "") ??
    parseDigest(own)
  );
}

/** Brings an OCI layout or archive into the engine's store. */
async function importPath(
  engine: "podman" | "docker",
  path: string,
  context: ImportContext,
): Promise<string> {
  const query = { platforms: [{ os: "linux", architecture: hostArchitecture() }], reference: undefined };
  if ((await stat(path)).isDirectory() && !isLayout(path))
    throw new EngineTrouble("it does not run directories; Apptainer does");
  if (path.endsWith(".sif")) throw new EngineTrouble("it does not run SIF files; Apptainer does");
  const opened = await (isLayout(path) ? openLayout(path, query) : openOciArchive(path, query));
  try {
    return await importImage(engine, opened, context);
  } finally {
    await opened.close();
  }
}

/** An image of the engine's store; one with a registry in its name is fetched once. */
async function inStore(
  engine: "podman" | "docker",
  program: string,
  image: string,
  { emit, signal }: Pick<FindImageOptions, "emit" | "signal">,
): Promise<string> {
  const known = await runTool([program, "image", "inspect", "--format", "{{.Id}}", image], {
    timeout: 60_000,
  });
  if (known.status === 0) return image;
  // A name without a registry means a local image, never one of a public registry.
  if (!image.includes("/")) throw new EngineTrouble(`it has no image ${image}`);
  const pulled = await runTask(emit, { kind: "pull", label: image, subject: image, signal }, () =>
    runTool([program, "pull", "--quiet", image], signal === undefined ? {} : { signal }),
  );
  if (pulled.status !== 0) throw new EngineTrouble(lastLine(pulled.stderr) || `${engine} cannot fetch it`);
  return image;
}

/** Apptainer takes image files of its own and directories; from anything else a file is made, once. */
async function apptainerImage(
  program: string,
  image: string,
  { home, emit, signal }: FindImageOptions,
): Promise<FoundBuilderImage> {
  const facts = isPath(image) ? await stat(image) : undefined;
  const key = hexOfDigest(digestOf(JSON.stringify([image, facts?.size, facts?.mtimeMs]))).slice(0, 32);
  const isOwn = facts?.isDirectory() === true ? !isLayout(image) : image.endsWith(".sif");
  const fileDigest = (path: string) => () => digestOfFile(path);
  if (facts !== undefined && isOwn)
    return {
      reference: image,
      id: key,
      digest: facts.isDirectory() ? async () => undefined : fileDigest(image),
    };
  if (facts === undefined && !image.includes("/"))
    throw new EngineTrouble(`${image} is neither a file nor a reference with a registry`);
  const folder = join(home, "builders");
  const file = join(folder, `${key}.sif`);
  if (!existsSync(file)) {
    await mkdir(folder, { recursive: true });
    const unfinished = temporaryPath(folder);
    const kind = facts === undefined ? "docker://" : isLayout(image) ? "oci:" : "oci-archive:";
    const source = `${kind}${image}`;
    const made = await runTask(emit, { kind: "pull", label: image, subject: image, signal }, () =>
      runTool([program, "--silent", "build", unfinished, source], {
        ...(signal === undefined ? {} : { signal }),
      }),
    );
    if (made.status !== 0) {
      await rm(unfinished, { force: true });
      throw new EngineTrouble(lastLine(made.stderr) || `status ${made.status}`);
    }
    await rename(unfinished, file);
  }
  return { reference: file, id: key, digest: fileDigest(file) };
}
