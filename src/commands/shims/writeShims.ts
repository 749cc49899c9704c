/** From a command line of `shims` to files. */
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { readImageProfile } from "../../hpc/readImageProfile.ts";
import { isPath } from "../../hpc/runtimes/enrootImage.ts";
import { type ShimFile, shimFiles, shimOwner } from "../../hpc/shimFiles.ts";
import { completeSite, findSite, type Site, type SiteRuntime } from "../../hpc/site.ts";
import { findImage, type ImageSubject } from "../../pipeline/images/findImage.ts";
import { openSubject, registryPatience } from "../../pipeline/images/openSubject.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { writeAtomically } from "../../util/atomicFile.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import { asSpacktainersError, SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { withTargetLock } from "../../util/targetLock.ts";
import { findProgram } from "../../util/tool.ts";
import { makeJob } from "../job/makeJob.ts";
import type { ShimRuntime } from "./shimRuntimes.ts";

/** A command line of `shims`. */
export interface ShimsRequest {
  readonly directory: string;
  /** A container's name, or an image in any form that `findImage` knows. */
  readonly image: string;
  readonly arch: string | undefined;
  /** Where the files go. */
  readonly into: string;
  /** A module in Lua as well. */
  readonly lmod: boolean;
  /** Undefined: this machine. */
  readonly site: string | undefined;
  /** Undefined: the site's; of this machine the first that is on the search path. */
  readonly runtime: ShimRuntime | undefined;
  /** Where the image is, instead of what the site says. */
  readonly location: string | undefined;
  /** Names of programs; none: all that the view has. */
  readonly programs: readonly string[];
  /** Only programs of packages that were asked for. */
  readonly rootsOnly: boolean;
  readonly binds: readonly string[];
  readonly env: readonly string[];
  readonly gpu: "nvidia" | "rocm" | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** What was written. */
export interface WrittenShims {
  readonly into: string;
  readonly name: string;
  readonly version: string;
  readonly runtime: SiteRuntime;
  readonly image: string;
  readonly programs: readonly string[];
  /** Below the folder: files that exist now, and files that were removed. */
  readonly files: readonly string[];
  readonly removed: readonly string[];
}

/** What is known of the image. */
interface ShimImage {
  readonly environment: readonly (readonly [string, string])[];
  readonly commands: readonly string[];
  readonly rootPrograms: readonly string[];
  readonly version: string | undefined;
}

/**
 * Writes shims: all of them, or none where one would take the place of a file that is not ours. What an earlier run wrote and is no
 * longer wanted is removed.
 *
 * @throws {SpacktainersError} `OUTPUT_EXISTS`, `USAGE`, `NOT_SUPPORTED`, `RUNTIME_MISSING`; of finding and reading the image
 */
export async function writeShims(request: ShimsRequest): Promise<WrittenShims> {
  const { directory, emit, signal } = request;
  const into = resolve(directory, request.into);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (/[\u0000-\u001f\u007f:]/.test(into))
    throw new SpacktainersError("USAGE", "the folder's path cannot stand in a search path", {
      place: { file: into },
    });
  const repository = await openSoundRepository(directory);
  const subject = await findImage(request.image, repository, { ...request, preferHost: true });
  const named = request.site === undefined ? undefined : findSite(repository.configuration, request.site);
  const site = await siteFor(named, request);
  const image = await imageFor(subject, site, request, repository.configuration.registries);
  const location = locationFor(request, site, subject);
  const { job } = await makeJob({
    directory,
    image: request.image,
    arch: request.arch,
    site,
    // It is replaced: each shim has its own.
    command: ["true"],
    resources: {},
    name: undefined,
    binds: request.binds,
    workdir: "/",
    env: request.env,
    location,
    mpi: undefined,
    hostMpi: undefined,
    gpu: request.gpu,
    log: undefined,
    sbatch: [],
    lookUp: false,
    emit: (event) => {
      // Whether ranks of a job fit the site is for `doctor` and `job`.
      if (event.type !== "warning") emit(event);
    },
    signal,
  });
  refuseConversion(job.image, subject);
  if (site.prologue.length > 0)
    emit({
      type: "warning",
      code: "NOTICE",
      message: `the \`prologue:\` of ${site.name} is for jobs: shims do not have it`,
    });
  const programs = programsFor(request, image);
  const name = basename(subject.name).replaceAll(/[^\w.+-]/g, "-");
  const version = (subject.version ?? image.version ?? "latest").replaceAll(/[^\w.+-]/g, "-");
  const files = shimFiles({
    name,
    version,
    description: `programs of the container ${name}, run by ${runtimeName(job.runtime)}`,
    job: {
      ...job,
      image: isPath(job.image) && !/^[$/]/.test(job.image) ? resolve(directory, job.image) : job.image,
      command: [],
      interactive: true,
    },
    imageEnvironment: image.environment,
    programs,
    folder: into,
    lmod: request.lmod,
  });
  await mkdir(into, { recursive: true }).catch((error: unknown) => {
    throw asSpacktainersError(error, { file: into });
  });
  const removed = await withTargetLock(join(into, "bin"), () => place(into, name, files), undefined, {
    signal,
  });
  return {
    into,
    name,
    version,
    runtime: job.runtime,
    image: job.image,
    programs,
    files: files.map(({ path }) => path),
    removed,
  };
}

function runtimeName(runtime: SiteRuntime): string {
  if (runtime === "native") return "unshare";
  return runtime === "pyxis" || runtime === "container-engine" ? "enroot" : runtime;
}

/** The site, with the runtime that was asked for; or this machine. */
async function siteFor(named: Site | undefined, { runtime }: ShimsRequest): Promise<Site> {
  const asked = runtime === "enroot" ? "pyxis" : runtime;
  if (named !== undefined) return asked === undefined ? named : { ...named, runtime: asked };
  if (asked !== undefined) return completeSite("this machine", { runtime: asked });
  const programs = [
    ["apptainer", "apptainer"],
    ["singularity", "singularity"],
    ["podman-hpc", "podman-hpc"],
    ["podman", "podman"],
    ["sarus", "sarus"],
    ["enroot", "pyxis"],
    ["ch-run", "charliecloud"],
  ] as const;
  for (const [program, known] of programs)
    if ((await findProgram(program)) !== undefined) return completeSite("this machine", { runtime: known });
  throw new SpacktainersError("RUNTIME_MISSING", "no container runtime is on the search path here", {
    hint: "name the cluster's: --site NAME, or --with apptainer",
  });
}

/** Where the image is; undefined: as a job would have it. */
function locationFor(request: ShimsRequest, site: Site, subject: ImageSubject): string | undefined {
  if (request.location !== undefined) return request.location;
  if (site.runtime === "native" && site.image === undefined)
    throw new SpacktainersError(
      "USAGE",
      "without spacktainers on the nodes, only a directory with the image's root can be a container",
      {
        hint: `\`spacktainers build ${subject.name} -o rootfs:DIR\`, then --image DIR`,
      },
    );
  const takesFiles = site.runtime === "apptainer" || site.runtime === "singularity";
  if (takesFiles && subject.form?.kind === "local") return subject.form.path;
  return undefined;
}

/** @throws SpacktainersError USAGE: the image is one that every start would have to convert */
function refuseConversion(location: string, { name }: ImageSubject): void {
  if (!/^(?:docker|oras|oci|oci-archive|docker-archive):/.test(location)) return;
  throw new SpacktainersError("USAGE", `every start of a program would convert ${location}`, {
    hint: `convert it to a file once (\`spacktainers sif ${name}\`, or \`pull\`), and name that with --image`,
  });
}

/** What is known of the image; where it cannot be read, what the command line says has to do. */
async function imageFor(
  subject: ImageSubject,
  { runtime }: Site,
  request: ShimsRequest,
  registries: Parameters<typeof openSubject>[1]["registries"],
): Promise<ShimImage> {
  try {
    return await readImage(subject, request, registries);
  } catch (error) {
    // The image's variables are needed where no runtime knows them.
    if (request.signal.aborted || request.programs.length === 0 || runtime === "native") throw error;
    request.emit({
      type: "warning",
      code: "NOTICE",
      message: `the image cannot be read, so whether it has these programs is not checked: ${asSpacktainersError(error).message}`,
    });
    return {
      environment: [],
      commands: request.programs,
      rootPrograms: request.programs,
      version: undefined,
    };
  }
}

async function readImage(
  subject: ImageSubject,
  { arch, emit, signal }: ShimsRequest,
  registries: Parameters<typeof openSubject>[1]["registries"],
): Promise<ShimImage> {
  const image = await openSubject(subject, { arch, registries, emit, signal, patience: registryPatience });
  try {
    const facts = await readImageProfile(image, { cache: cacheHome(), emit, signal });
    const { value: config } = await image.config();
    return {
      environment: (config.config?.Env ?? []).flatMap((line) => {
        const [, name, value = ""] = /^([A-Za-z_]\w*)=(.*)$/s.exec(line) ?? [];
        return name === undefined ? [] : [[name, value] as const];
      }),
      commands: facts.commands,
      rootPrograms: [...new Set(facts.programs.map(({ path }) => basename(path)))],
      version: facts.packages?.find(({ root }) => root)?.version,
    };
  } finally {
    await image.close();
  }
}

/** @throws SpacktainersError USAGE: a program that is not there, or none at all */
function programsFor(request: ShimsRequest, image: ShimImage): readonly string[] {
  const { programs, rootsOnly } = request;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names of programs that nobody can type are left out
  const usable = image.commands.filter((name) => !/[\u0000-\u001f\u007f]/.test(name));
  for (const name of programs)
    if (name === "" || name.includes("/") || /^\.{1,2}$/.test(name))
      throw new SpacktainersError("USAGE", `--program takes the name of a program, not ${name}`);
  const missing = programs.filter((name) => !usable.includes(name));
  if (missing.length > 0)
    throw new SpacktainersError(
      "USAGE",
      `the image has no ${missing.join(", ")} in the folders of its packages`,
      {
        hint: usable.length === 0 ? "it has no programs there" : `it has ${usable.slice(0, 20).join(", ")}`,
      },
    );
  if (programs.length > 0) return [...new Set(programs)].sort();
  const found = rootsOnly ? usable.filter((name) => image.rootPrograms.includes(name)) : usable;
  if (found.length === 0)
    throw new SpacktainersError("USAGE", "the image's search path has no programs but the base system's", {
      hint: "a container with packages has a view, and its programs are found there",
    });
  return found;
}

/** Writes the files below a folder. @returns files that `shims` made earlier and that are no longer wanted */
async function place(into: string, name: string, files: readonly ShimFile[]): Promise<readonly string[]> {
  for (const { path } of files) await expectOwn(into, path, name);
  const wanted = new Set(files.map(({ path }) => path));
  const stale: string[] = [];
  for (const folder of ["bin", "libexec", `modulefiles/${name}`])
    for (const entry of await readdir(join(into, folder)).catch(() => [])) {
      const path = `${folder}/${entry}`;
      if (!wanted.has(path) && (await ownerOf(join(into, path))) === name) stale.push(path);
    }
  for (const { path, text, mode } of files) {
    const file = join(into, path);
    try {
      await mkdir(dirname(file), { recursive: true });
      // Readable for everybody, whatever the umask: a module is for a whole group.
      await writeAtomically(file, async (temporary) => {
        await writeFile(temporary, text);
        await chmod(temporary, mode);
      });
    } catch (error) {
      throw asSpacktainersError(error, { file });
    }
  }
  for (const path of stale) await rm(join(into, path), { force: true });
  return stale.sort();
}

/** @throws SpacktainersError OUTPUT_EXISTS */
async function expectOwn(into: string, path: string, name: string): Promise<void> {
  const file = join(into, path);
  const owner = await ownerOf(file);
  if (owner === undefined || owner === name) return;
  throw new SpacktainersError(
    "OUTPUT_EXISTS",
    owner === "" ? "this file was not written by `shims`" : `this is a shim of the container ${owner}`,
    { place: { file }, hint: "choose another folder with --into: one for each container" },
  );
}

/** The container whose shim a file is; empty: it is none; undefined: there is no file. */
async function ownerOf(file: string): Promise<string | undefined> {
  try {
    const text = await readFile(file, "utf8");
    return shimOwner(text) ?? "";
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return undefined;
    // A directory, or what we may not read: not ours.
    return "";
  }
}
