/** From a command line of `doctor` to findings: images against sites, or this machine. */
import { checkImage } from "../../hpc/checkImage.ts";
import type { Finding } from "../../hpc/finding.ts";
import { checkHost, type HostProfile, readHostProfile } from "../../hpc/hostProfile.ts";
import { completeSite, findSite, type JobResources, type Site } from "../../hpc/site.ts";
import { builtNames } from "../../pipeline/images/findImage.ts";
import { forEachOf, outcomeErrors, resultsOf } from "../../pipeline/workspace/outcomes.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { oneError, type SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { type DoctorSubject, readSubject } from "./readSubject.ts";

/** A command line of `doctor`. */
export interface DoctorRequest {
  readonly directory: string;
  /** Names of sites and images; an image in any form that `findImage` knows. */
  readonly subjects: readonly string[];
  readonly arch: string | undefined;
  readonly resources: JobResources;
  readonly mpi: string | undefined;
  readonly hostMpi: boolean | undefined;
  /** Check that graphics processors will be found. */
  readonly gpu?: boolean;
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

/** All that was found out. */
export interface DoctorResult {
  readonly examinations: readonly Examination[];
  /** Why images could not be examined. */
  readonly errors: readonly SpacktainersError[];
}

/**
 * Images are held against each site named; without one, against this machine. Sites without an image are held against
 * this machine where it is part of a cluster, and all built containers against them. Nothing named: this machine.
 * A container that is not built here is looked up in the first registry of the configuration.
 *
 * An image that cannot be read does not keep the others from being examined.
 *
 * @returns what was found out, and why nothing was of the rest: `UNKNOWN_CONTAINER`, `NOT_FOUND` when an image is neither built nor
 *   published; of opening and reading images
 * @throws {SpacktainersError} problems of the configuration; why the only image, or all of them, cannot be examined; `INTERRUPTED`
 */
export async function diagnoseImages(request: DoctorRequest): Promise<DoctorResult> {
  const repository = await openSoundRepository(request.directory);
  const { configuration } = repository;
  const sites = request.subjects
    .filter((name) => configuration.sites.has(name))
    .map((name) => findSite(configuration, name));
  const images = request.subjects.filter((name) => !configuration.sites.has(name));
  const host = await readHostProfile();
  if (request.subjects.length === 0)
    return {
      examinations: [{ image: undefined, site: undefined, findings: checkHost(host) }],
      errors: [],
    };
  const wanted = images.length > 0 ? images : await builtNames(repository, request);
  const outcomes = await forEachOf(
    wanted,
    (name) => name,
    { events: undefined, signal: request.signal, failFast: false },
    async (name) => {
      const subject = await readSubject(name, sites, request, repository);
      return images.length > 0 ? subject : { ...subject, name };
    },
  );
  const allow = configuration.linkage.allowUnresolved;
  const options = { ...request, allow };
  const examinations = examinationsOf(resultsOf(outcomes), {
    sites,
    siteToo: images.length === 0,
    host,
    request: options,
  });
  const errors = outcomeErrors(outcomes);
  if (examinations.length === 0 && errors.length > 0) throw oneError(errors);
  return { examinations, errors };
}

/** What images are compared with. */
interface ExaminationContext {
  readonly sites: readonly Site[];
  readonly siteToo: boolean;
  readonly host: HostProfile;
  readonly request: DoctorRequest & { readonly allow: readonly string[] };
}

function examinationsOf(
  all: readonly DoctorSubject[],
  { sites, siteToo, host, request }: ExaminationContext,
): readonly Examination[] {
  if (sites.length === 0)
    return all.flatMap(({ name, profiles }) =>
      [...profiles.values()].map(({ profile, found }) => ({
        image: name,
        site: undefined,
        findings: [
          ...found,
          ...checkImage(profile, siteOfHost(host), {
            resources: request.resources,
            mpi: request.mpi,
            allow: request.allow,
            gpu: request.gpu,
            hostMpi: false,
            emulated: host.emulated,
            plugins: pluginsOf(host),
          }),
        ],
      })),
    );
  return sites.flatMap((site) => [
    ...(siteToo ? [{ image: undefined, site: site.name, findings: checkSiteHere(site, host) }] : []),
    ...all.flatMap(({ name, profiles }) => {
      const read = profiles.get(site);
      if (read === undefined) return [];
      return [
        {
          image: name,
          site: site.name,
          findings: [
            ...read.found,
            ...checkImage(read.profile, site, {
              resources: request.resources,
              mpi: request.mpi,
              allow: request.allow,
              gpu: request.gpu,
              hostMpi: request.hostMpi,
              plugins: pluginsOf(host),
              isHere: false,
              // On a machine of a cluster, which may be the one that is named.
              separatesRanks: host.slurm !== undefined && host.runtimes.some((one) => one.separatesRanks),
            }),
          ],
        },
      ];
    }),
  ]);
}

/** Plug-ins of Slurm here, where it answers. */
function pluginsOf(host: HostProfile): readonly string[] | undefined {
  return host.slurm === undefined || host.slurm.plugins.length === 0 ? undefined : host.slurm.plugins;
}

/** This machine as a site. */
function siteOfHost(host: HostProfile): Site {
  const works = host.runtimes.filter(({ trouble }) => trouble === undefined).map(({ name }) => name);
  const runtime = (
    ["apptainer", "singularity", "sarus", "podman-hpc", "podman", "docker", "charliecloud"] as const
  ).find((name) => works.includes(name));
  const plugins = pluginsOf(host);
  return completeSite("this machine", {
    runtime: runtime ?? "native",
    mpi: plugins?.filter((name) => name !== "none"),
    target: host.processor,
    glibc: host.glibc,
    "gpu-driver": host.gpu.nvidia,
  });
}

/** The facts of a site that can be seen on this machine, if it is part of a cluster. */
function checkSiteHere(site: Site, host: HostProfile): readonly Finding[] {
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
  const fromSrun: readonly string[] = ["pyxis", "container-engine", "slurm"];
  if (fromSrun.includes(site.runtime)) {
    if (host.slurm?.containers.some((name) => name === site.runtime) !== true)
      findings.push({
        severity: "warning",
        check: "runtime",
        message: `srun here has no option for ${site.runtime}, which ${site.name} names`,
        evidence: ["srun --help"],
      });
    return findings;
  }
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
