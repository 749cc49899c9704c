/** From a command line of `doctor` to findings: images against sites, or this machine. */
import { checkImage } from "../hpc/checkImage.ts";
import type { Finding } from "../hpc/finding.ts";
import { checkHost, type HostFacts, readHostFacts } from "../hpc/hostFacts.ts";
import type { ImageFacts } from "../hpc/imageFacts.ts";
import { completeSite, findSite, type JobResources, type Site } from "../hpc/site.ts";
import { cacheHome } from "../util/cacheHome.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { factsOfLayout, findImage } from "./openImage.ts";
import { openSoundRepository } from "./workspace.ts";

/** A command line of `doctor`. */
export interface ExamineRequest {
  readonly directory: string;
  /** Names of sites and images. */
  readonly subjects: readonly string[];
  readonly arch: string | undefined;
  readonly resources: JobResources;
  readonly mpi: string | undefined;
  readonly hostMpi: boolean | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** What was found out about one image at one site, about a site, or about this machine. */
export interface Examination {
  readonly image: string | undefined;
  /** Undefined: this machine. */
  readonly site: string | undefined;
  readonly findings: readonly Finding[];
}

/**
 * Examines. Images are held against each site named; without one, against this machine. Sites without an image are held against
 * this machine where it is part of a cluster, and all built containers against them. Nothing named: this machine.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `NOT_FOUND` when an image is not built; problems of the configuration
 */
export async function examine(request: ExamineRequest): Promise<readonly Examination[]> {
  const repository = await openSoundRepository(request.directory);
  const { configuration } = repository;
  const sites = request.subjects
    .filter((name) => configuration.sites.has(name))
    .map((name) => findSite(configuration, name));
  const images = request.subjects.filter((name) => !configuration.sites.has(name));
  const host = await readHostFacts();
  if (request.subjects.length === 0)
    return [{ image: undefined, site: undefined, findings: checkHost(host) }];
  const named: { readonly name: string; readonly facts: ImageFacts }[] = [];
  for (const name of images) named.push(await openFacts(name, request, repository, true));
  const all = images.length > 0 ? named : await builtImages(request, repository);
  if (sites.length === 0)
    return all.map(({ name, facts }) => ({
      image: name,
      site: undefined,
      findings: checkImage(facts, siteOfHost(host), {
        resources: request.resources,
        mpi: request.mpi,
        hostMpi: false,
        plugins: pluginsOf(host),
      }),
    }));
  return sites.flatMap((site) => [
    ...(images.length === 0
      ? [{ image: undefined, site: site.name, findings: checkSiteHere(site, host) }]
      : []),
    ...all.map(({ name, facts }) => ({
      image: name,
      site: site.name,
      findings: checkImage(facts, site, {
        resources: request.resources,
        mpi: request.mpi,
        hostMpi: request.hostMpi,
        plugins: pluginsOf(host),
        isHere: false,
      }),
    })),
  ]);
}

async function openFacts(
  name: string,
  request: ExamineRequest,
  repository: Awaited<ReturnType<typeof openSoundRepository>>,
  needed: boolean,
): Promise<{ readonly name: string; readonly facts: ImageFacts }> {
  const image = await findImage(name, repository, request);
  if (image.layout === undefined)
    throw new SpacktainersError("NOT_FOUND", `${image.name} is not here`, {
      hint:
        image.container === undefined
          ? `neither a site, a container nor an image layout is called ${name}`
          : `spacktainers build ${image.name}`,
    });
  const { emit, signal } = request;
  const facts = await factsOfLayout(image.layout, { cache: cacheHome(), emit, signal });
  return { name: needed ? image.name : name, facts };
}

async function builtImages(
  request: ExamineRequest,
  repository: Awaited<ReturnType<typeof openSoundRepository>>,
): Promise<{ readonly name: string; readonly facts: ImageFacts }[]> {
  const found = [];
  for (const container of repository.containers) {
    if (container.parked || container.kind === "def") continue;
    const name = `${container.arch}/${container.name}`;
    const { layout } = await findImage(name, repository, request);
    if (layout !== undefined) found.push(await openFacts(name, request, repository, false));
  }
  return found;
}

/** Plug-ins of Slurm here, where it answers. */
function pluginsOf(host: HostFacts): readonly string[] | undefined {
  return host.slurm === undefined || host.slurm.plugins.length === 0 ? undefined : host.slurm.plugins;
}

/** This machine as a site. */
function siteOfHost(host: HostFacts): Site {
  const works = host.runtimes.filter(({ trouble }) => trouble === undefined).map(({ name }) => name);
  const runtime = (["apptainer", "singularity", "sarus", "podman", "docker"] as const).find((name) =>
    works.includes(name),
  );
  const plugins = pluginsOf(host);
  return completeSite("this machine", {
    runtime: runtime ?? "native",
    ...(plugins === undefined ? {} : { mpi: plugins.filter((name) => name !== "none") }),
    ...(host.processor === undefined ? {} : { target: host.processor }),
    ...(host.glibc === undefined ? {} : { glibc: host.glibc }),
  });
}

/** What of a site can be seen on this machine; only where it is part of a cluster. */
function checkSiteHere(site: Site, host: HostFacts): readonly Finding[] {
  const plugins = pluginsOf(host);
  if (plugins === undefined) return [];
  const missing = site.mpi.filter((plugin) => plugin !== "none" && !plugins.includes(plugin));
  const evidence = [`srun --mpi=list: ${plugins.join(", ")}`];
  const findings: Finding[] = [
    missing.length === 0
      ? {
          severity: "ok",
          check: "pmi-here",
          message: `Slurm here has all of ${site.mpi.join(", ")}`,
          evidence,
        }
      : {
          severity: "warning",
          check: "pmi-here",
          message: `Slurm here does not have ${missing.join(", ")}, which ${site.name} names`,
          evidence,
          remedy: `correct \`mpi:\` of the site, if this is it`,
        },
  ];
  const runtime = host.runtimes.find(({ name }) => name === site.runtime);
  if (site.runtime !== "native" && runtime === undefined)
    findings.push({
      severity: "warning",
      check: "runtime",
      message: `${site.runtime}, which ${site.name} names, is not on the search path here`,
      evidence: site.modules.length > 0 ? [`the site loads the modules ${site.modules.join(", ")}`] : [],
    });
  return findings;
}
