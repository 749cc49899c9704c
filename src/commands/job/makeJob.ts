/** From a command line of `job` to a batch script. */
import { isAbsolute, join, resolve } from "node:path";
import type { RegistryConfiguration } from "../../definitions/configuration.ts";
import type { Repository } from "../../definitions/repository.ts";
import { batchScript } from "../../hpc/batchScript.ts";
import { checkImage } from "../../hpc/checkImage.ts";
import { choosePmi, mainMpi, type PmiChoice } from "../../hpc/choosePmi.ts";
import type { Finding } from "../../hpc/finding.ts";
import { separatesRanksHere } from "../../hpc/hostProfile.ts";
import type { ImageProfile } from "../../hpc/imageProfile.ts";
import type { Job, JobBind } from "../../hpc/job.ts";
import { readImageProfile } from "../../hpc/readImageProfile.ts";
import { squashfsFile } from "../../hpc/runtimes/enrootImage.ts";
import { jobOptions, parseSbatchOption } from "../../hpc/sbatchOptions.ts";
import { findSite, type JobResources, replacesMpi, type Site } from "../../hpc/site.ts";
import type { Image } from "../../image/image.ts";
import { defaultOutput } from "../../pipeline/images/builtImages.ts";
import { findImage, formText, type ImageSubject, layoutOf } from "../../pipeline/images/findImage.ts";
import { registryReference } from "../../pipeline/images/imageLocation.ts";
import { openSubject, registryPatience, standIn } from "../../pipeline/images/openSubject.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { usesPlainHttp } from "../../registry/openRegistries.ts";
import { parseReference } from "../../registry/reference.ts";
import { parseBind } from "../../run/containerProcess.ts";
import type { GpuKind } from "../../run/types.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import { asSpacktainersError, SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { shownPath } from "../../util/shownPath.ts";

import { type ExaminedSubject, imageAtSite, imageThatRuns } from "./imageThatRuns.ts";

/** A command line of `job`. */
export interface JobRequest {
  readonly directory: string;
  /** A container's name, an image in any form that `findImage` knows, or the image as the site's runtime knows it. */
  readonly image: string;
  readonly arch: string | undefined;
  /** By its name, or as it is. */
  readonly site: string | Site;
  readonly command: readonly string[];
  /** Over the site's. */
  readonly resources: JobResources;
  readonly name: string | undefined;
  /** `SOURCE[:TARGET[:ro]]`, beside the site's; The job expands `$NAME` when it runs. */
  readonly binds: readonly string[];
  readonly workdir: string | undefined;
  /** `NAME=value`, or `NAME` for the value it has where the job is submitted. */
  readonly env: readonly string[];
  /** Where the image is at the site, instead of what the site says. */
  readonly location: string | undefined;
  /** A plug-in of `srun --mpi`, instead of the one that is chosen. */
  readonly mpi: string | undefined;
  /** Default: when the site has a rule for it. */
  readonly hostMpi: boolean | undefined;
  readonly gpu: GpuKind | undefined;
  readonly log: string | undefined;
  /** Other options of `sbatch`, over the site's. */
  readonly sbatch: readonly string[];
  /** Whether an image that is not here is looked up in its registry; one that is here is read in any case. Default true. */
  readonly lookUp?: boolean;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** What a command line of `job` says that only names an image, a site and a command. */
export const usualJob = {
  arch: undefined,
  resources: {},
  name: undefined,
  binds: [],
  workdir: undefined,
  env: [],
  location: undefined,
  mpi: undefined,
  hostMpi: undefined,
  gpu: undefined,
  log: undefined,
  sbatch: [],
} as const;

/** A job ready to be submitted. */
export interface MadeJob {
  readonly job: Job;
  readonly script: string;
  /** Findings about the image; empty if it could not be read. */
  readonly findings: readonly Finding[];
}

/** The working directory of whoever submits: where Slurm starts the job. */
const submitDirectory = "$SLURM_SUBMIT_DIR";

/**
 * Makes a job.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `USAGE` (the site, binds, variables, no place of the image), `NOT_SUPPORTED`; problems of
 *   the configuration
 */
export async function makeJob(request: JobRequest): Promise<MadeJob> {
  return makeJobIn(await openSoundRepository(request.directory), request);
}

/**
 * Makes a job for an image of a repository that was read.
 *
 * @throws {SpacktainersError} as {@link makeJob}
 */
export async function makeJobIn(repository: Repository, request: JobRequest): Promise<MadeJob> {
  const site =
    typeof request.site === "string" ? findSite(repository.configuration, request.site) : request.site;
  const image = await findImage(request.image, repository, request);
  const location = locationOf(request, site, image, repository);
  const examined = await imageThatRuns(image, location, repository, request);
  const facts = await factsFor({ ...examined, location }, site, request, repository);
  const given = Object.fromEntries(
    Object.entries(request.resources).filter(([, value]) => value !== undefined),
  );
  const resources: JobResources = { ...site.resources, ...given };
  // Where the runtime has no way to do it, a rule of the site is no reason to try.
  const hostMpi = request.hostMpi ?? (site.replaceMpi !== undefined && replacesMpi(site.runtime));
  const workdir = request.workdir ?? site.workdir ?? submitDirectory;
  const { environment, inherited } = variablesOf(request.env);
  const job: Job = {
    name: request.name ?? image.name,
    site: site.name,
    runtime: site.runtime,
    image: location,
    plainHttp: isBehindPlainHttp(location, site, repository.configuration.registries),
    command: request.command,
    resources:
      request.gpu === undefined && given.gpusPerNode === undefined ? withoutGpus(resources) : resources,
    sbatch: jobOptions(site.sbatch, request.sbatch.map(parseSbatchOption)),
    pmi: pmiOf(request, site, facts, hostMpi),
    hostMpi,
    gpu: request.gpu,
    binds: bindsOf([...site.binds, ...request.binds], workdir, request.directory),
    workdir,
    environment: { HDF5_USE_FILE_LOCKING: "FALSE", ...site.environment, ...environment },
    inherited,
    modules: site.modules,
    prologue: site.prologue,
    shareNamespaces: site.shareNamespaces,
    annotations: site.annotations,
    log: request.log,
  };
  const findings =
    facts === undefined
      ? []
      : checkImage(facts, site, {
          resources,
          mpi: request.mpi,
          hostMpi,
          gpu: request.gpu !== undefined,
          allow: repository.configuration.linkage.allowUnresolved,
          skipsEntrypoint: true,
          separatesRanks: site.runtime === "apptainer" && (await separatesRanksHere()),
        });
  return { job, script: batchScript(job), findings };
}

/** A site's number of GPUs is for jobs that use them. */
function withoutGpus({ gpusPerNode: _unused, ...resources }: JobResources): JobResources {
  return resources;
}

/**
 * The facts of the image, here or in its registry. What cannot be read is no reason to write no script: the site may see
 * registries that this machine does not. A file that is here and damaged is.
 */
async function factsFor(
  { subject, runsOther, location }: ExaminedSubject & { readonly location: string },
  site: Site,
  request: JobRequest,
  repository: Repository,
): Promise<ImageProfile | undefined> {
  const { arch, emit, signal, lookUp = true } = request;
  const { form, container, name } = subject;
  const { registries } = repository.configuration;
  const isHere = form !== undefined && form.kind !== "reference";
  let why = "";
  try {
    if (isHere || (lookUp && form !== undefined)) {
      const image = await openSubject(subject, {
        arch,
        registries,
        emit,
        signal,
        patience: registryPatience,
      });
      try {
        const facts = await readImageProfile(image, { cache: cacheHome(), emit, signal });
        const other = container === undefined ? undefined : examinedInstead(subject, image);
        if (other !== undefined)
          emit({
            type: "warning",
            code: "NOTICE",
            message: `${name} is not built here: ${other}, was checked${runsOther ? `; the job runs ${location}, which cannot be read from here` : ""}`,
          });
        return facts;
      } finally {
        await image.close();
      }
    }
  } catch (error) {
    const { code, message } = asSpacktainersError(error);
    if (signal.aborted || (isHere && code !== "RUNTIME_MISSING")) throw error;
    why = `: ${message}`;
  }
  emit({
    type: "warning",
    code: "NOTICE",
    message: `the image ${isHere ? "cannot be read" : "is not here"}, so whether it fits ${site.name} is not checked${why}`,
    hint: container === undefined ? undefined : `spacktainers build ${name}`,
  });
  return undefined;
}

/** Which image is examined in place of the one that a build here would give. */
function examinedInstead(subject: ImageSubject, image: Image): string | undefined {
  const other = standIn(subject, image);
  if (other !== undefined) return `${other}, which is ${subject.found}`;
  return subject.found === "said" && subject.form !== undefined
    ? `${image.reference ?? formText(subject.form)}, which the job runs`
    : undefined;
}

/** Where the image is for the site's runtime. */
function locationOf(request: JobRequest, site: Site, image: ImageSubject, repository: Repository): string {
  if (request.location !== undefined) return request.location;
  // Our own runner takes an image in every form; where a container is to be run that is not here, it will be in its place.
  if (site.runtime === "native" && site.image === undefined) {
    if (image.form !== undefined && image.found !== "published")
      return layoutOf(image) ?? formText(image.form);
    if (image.container !== undefined) return defaultOutput(repository.configuration.output, image.container);
  }
  const isOwn = image.container === undefined && layoutOf(image) === undefined;
  if (isOwn || (image.found === "pulled" && site.image === undefined && startsUrls(site)))
    return ownLocation(image, site, request);
  const atSite = imageAtSite(site, image);
  if (atSite !== undefined) return atSite;
  const registered = registryReference(repository.configuration.registries, image);
  if (registered !== undefined) {
    return startsUrls(site) ? `docker://${registered.reference}` : registered.reference;
  }
  throw new SpacktainersError("USAGE", `${site.name} does not name a place for images`, {
    hint: "give --image, or write `image:` for the site",
  });
}

/** Whether the site's runtime takes SIF files, and names of registries with their transport. */
function startsUrls({ runtime }: Site): boolean {
  return runtime === "apptainer" || runtime === "singularity";
}

/** Whether the site's runtime is given a name in a registry that speaks plain HTTP. */
function isBehindPlainHttp(
  location: string,
  { runtime }: Site,
  registries: readonly RegistryConfiguration[],
): boolean {
  const url = /^(?:docker|oras):\/\/(.+)$/.exec(location)?.[1];
  // These take names without a transport; those of other forms begin with it.
  const takesNames = ["podman", "podman-hpc", "pyxis", "container-engine"].includes(runtime);
  const name = url ?? (takesNames && /^[\w.-]+(?::\d+)?\//.test(location) ? location : undefined);
  if (name === undefined || name.includes("$")) return false;
  return usesPlainHttp(parseReference(name).host, registries);
}

/** What was given is for the site: a reference or path, in the words of the site's runtime where we understand it. */
function ownLocation({ form }: ImageSubject, site: Site, { image, directory }: JobRequest): string {
  const usesUrl = startsUrls(site);
  if (form === undefined) return image;
  if (form.kind === "reference") {
    if (site.runtime === "native") return formText(form);
    if (form.transport === "oras" && !usesUrl)
      throw new SpacktainersError("NOT_SUPPORTED", `${site.runtime} does not run SIF files of a registry`, {
        hint: "name the container image that they were made from: docker://…",
      });
    return usesUrl ? formText(form) : form.name;
  }
  if (form.kind === "local") {
    if (usesUrl || site.runtime === "native" || runsFile(site, form.path)) return form.path;
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `${site.runtime} does not run ${shownPath(form.path, directory)}`,
      {
        hint: "give --image: where the image is for the runtime of the site",
      },
    );
  }
  if (usesUrl || site.runtime === "podman" || site.runtime === "native") return formText(form);
  throw new SpacktainersError(
    "NOT_SUPPORTED",
    `${site.runtime} does not run an image from ${form.source.kind}:`,
    {
      hint: "give --image: where the image is for the runtime of the site",
    },
  );
}

/** Whether a runtime takes a file or directory that is no SIF: squashfs files, unpacked images, bundles. */
function runsFile({ runtime }: Site, path: string): boolean {
  if (runtime === "pyxis" || runtime === "container-engine") return squashfsFile.test(path);
  return (runtime === "charliecloud" || runtime === "slurm") && !path.endsWith(".sif");
}

function pmiOf(
  request: JobRequest,
  site: Site,
  facts: ImageProfile | undefined,
  hostMpi: boolean,
): PmiChoice {
  if (request.mpi !== undefined) return { plugin: request.mpi, because: "it was asked for" };
  if (facts === undefined) {
    const [first] = site.mpi;
    return first === undefined
      ? { plugin: undefined, because: "the site names no plug-in" }
      : { plugin: first, because: `it is the first of ${site.name}` };
  }
  const library = mainMpi(
    facts.mpi,
    (facts.cachedMpi ?? []).map(({ file }) => file),
  );
  return choosePmi(library, site.mpi, hostMpi);
}

/** Binds in order, each once; the working directory is among them. */
function bindsOf(texts: readonly string[], workdir: string, directory: string): readonly JobBind[] {
  const binds = texts.map((text) => parseJobBind(text, directory));
  // The root is the container's own.
  if (workdir !== "/" && !binds.some(({ target }) => target === workdir || workdir.startsWith(`${target}/`)))
    binds.push({ source: workdir, target: workdir, readOnly: false });
  const byTarget = new Map(binds.map((bind) => [bind.target, bind]));
  return [...byTarget.values()];
}

/**
 * Reads a bind whose paths may have variables of the job's shell in them.
 * @throws SpacktainersError USAGE
 */
export function parseJobBind(text: string, directory: string): JobBind {
  // Colons belong to the form, and a path that begins with a variable is absolute only there.
  const [source = "", target, ...mode] = text.split(":");
  const bind = parseBind([source, target ?? source, ...mode].join(":"), directory);
  if (/^[$]/.test(source)) return { ...bind, source, target: target ?? source };
  const absolute = resolve(directory, source);
  const place = target ?? absolute;
  if (!place.startsWith("/") && !place.startsWith("$"))
    throw new SpacktainersError(
      "USAGE",
      `a bind's target must be an absolute path in the container, not ${place}`,
    );
  return { source: absolute, target: place, readOnly: bind.readOnly };
}

function variablesOf(words: readonly string[]): { environment: Record<string, string>; inherited: string[] } {
  const environment = Object.create(null) as Record<string, string>;
  const inherited: string[] = [];
  for (const word of words) {
    const [name = "", ...value] = word.split("=");
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      throw new SpacktainersError("USAGE", `--env: ${name.slice(0, 40)} cannot be the name of a variable`);
    if (word.includes("=")) environment[name] = value.join("=");
    else inherited.push(name);
  }
  return { environment, inherited };
}

/** Path of a script to write, from the folder the command line is for. */
export function scriptPath(directory: string, path: string): string {
  return isAbsolute(path) ? path : join(directory, path);
}
