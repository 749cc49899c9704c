import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Repository } from "../../definitions/repository.ts";
import { isPath } from "../../hpc/runtimes/enrootImage.ts";
import type { Site } from "../../hpc/site.ts";
import { findImage, type ImageQuestion, type ImageSubject } from "../../pipeline/images/findImage.ts";
import { fillPattern } from "../../pipeline/images/imageLocation.ts";

/** The image that is examined for a job. */
export interface ExaminedSubject {
  readonly subject: ImageSubject;
  /** What the job runs is another image, or may be, that cannot be read from here. */
  readonly runsOther: boolean;
}

/**
 * The image that a job will run. A site may name another one than the first registry has: a file that is here, or a name in
 * a registry.
 *
 * @param subject what the command line names
 * @param location where the image is, in the words of the site's runtime
 */
export async function imageThatRuns(
  subject: ImageSubject,
  location: string,
  repository: Repository,
  question: ImageQuestion,
): Promise<ExaminedSubject> {
  if (subject.container === undefined) return { subject, runsOther: false };
  const isPublished = subject.found === "published";
  const other = { subject, runsOther: isPublished };
  // Only the job's shell knows.
  if (location.includes("$")) return other;
  if (isPath(location)) {
    const path = resolve(question.directory, location);
    const isHere = (await stat(path).catch(() => undefined)) !== undefined;
    return isHere ? ((await read(path)) ?? other) : other;
  }
  // What is built here is what will be published there.
  if (!isPublished || namesForm(location, subject)) return { subject, runsOther: false };
  return (await read(/^\w+:\/\//.test(location) ? location : `docker://${location}`)) ?? other;

  async function read(text: string): Promise<ExaminedSubject | undefined> {
    const found = await findImage(text, repository, question).catch(() => undefined);
    if (found?.form === undefined) return undefined;
    return { subject: { ...found, name: subject.name, container: subject.container }, runsOther: false };
  }
}

/** Where a site has an image, by the site's `image:`: a path or a name in a registry; undefined where the site does not say. */
export function imageAtSite({ image }: Pick<Site, "image">, subject: ImageSubject): string | undefined {
  if (image === undefined) return undefined;
  const filled = fillPattern(image, subject);
  return isPath(filled) ? filled : lowerCaseReference(filled);
}

/** Registries want lower case, but for tags. */
function lowerCaseReference(reference: string): string {
  const tag = /(?::[\w.-]+|@[\w:.-]+)$/.exec(reference)?.[0] ?? "";
  return reference.slice(0, reference.length - tag.length).toLowerCase() + tag;
}

/** Whether a location is the form of a subject, with or without its transport. */
function namesForm(location: string, { form }: ImageSubject): boolean {
  return form?.kind === "reference" && [form.name, `${form.transport}://${form.name}`].includes(location);
}
