/** Whether an image will run at sites, and the batch script for each. */
import { basename } from "node:path";
import type { SiteVerdict } from "../../catalogue/facts.ts";
import type { Container } from "../../definitions/container.ts";
import type { Repository } from "../../definitions/repository.ts";
import type { ImageProfile } from "../../hpc/imageProfile.ts";
import { readImageProfile } from "../../hpc/readImageProfile.ts";
import { findSite, type Site } from "../../hpc/site.ts";
import type { Image } from "../../image/image.ts";
import { fillPattern } from "../../pipeline/images/imageLocation.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import { asSpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, ignoreEvents } from "../../util/events.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { type JobRequest, makeJobIn, usualJob } from "../job/makeJob.ts";

/** What is held against sites. */
export interface VerdictQuestion {
  readonly container: Container;
  readonly image: Image;
  /** As a command line names it: `docker://…`, or the container's name. */
  readonly word: string;
  readonly version: string;
  readonly sites: readonly string[];
  readonly repository: Repository;
  readonly directory: string;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/**
 * Holds an image against sites. All of its layers are read once, and what is found is remembered.
 * @throws {SpacktainersError} of reading the image
 */
export async function siteVerdicts(question: VerdictQuestion): Promise<readonly SiteVerdict[]> {
  const { sites, image, repository, emit, signal } = question;
  if (sites.length === 0) return [];
  const profile = await readImageProfile(image, { cache: cacheHome(), emit, signal });
  const verdicts: SiteVerdict[] = [];
  for (const name of sites) {
    const site = findSite(repository.configuration, name);
    verdicts.push(await verdictAt(site, profile, question));
  }
  return verdicts;
}

async function verdictAt(
  site: Site,
  profile: ImageProfile,
  { container, word, version, repository, directory, signal }: VerdictQuestion,
): Promise<SiteVerdict> {
  const common = { site: site.name, description: site.description, runtime: site.runtime };
  const request: JobRequest = {
    ...usualJob,
    directory,
    image: word,
    arch: container.arch,
    site,
    command: [programOf(profile, container.name)],
    name: container.name,
    location: site.image && fillPattern(site.image, { name: container.name, container, version }),
    emit: ignoreEvents,
    signal,
  };
  try {
    const { script, findings } = await makeJobIn(repository, request);
    return { ...common, findings, script, trouble: undefined };
  } catch (thrown) {
    stopIfAborted(signal);
    const { message, hint } = asSpacktainersError(thrown);
    const trouble = `No batch script can be written: ${message}${hint === undefined ? "" : ` (${hint})`}.`;
    return { ...common, findings: [], script: undefined, trouble };
  }
}

/** The program that a job would start: that of the first package asked for, if one is called like it. */
function programOf({ programs }: ImageProfile, fallback: string): string {
  const own = programs.find((program) => basename(program.path) === program.package) ?? programs[0];
  return own === undefined ? fallback : basename(own.path);
}
