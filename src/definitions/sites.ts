/** Sites in files of their own: `sites/<name>.yaml`, beside those of `sites:` in `spacktainers.yaml`. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { readBounded } from "../util/readBounded.ts";
import { reportIssue } from "./configurationProblems.ts";
import { parsePositionedYaml, placeOfPath, plainValue, yamlLimits } from "./positionedYaml.ts";
import { inOrderOfPlace, type ProblemList, type Problems } from "./problems.ts";
import type { SiteConfiguration } from "./siteConfiguration.ts";
import { siteSchema } from "./siteSchema.ts";

/** Name of the folder with sites, at a repository's root. */
export const sitesFolder = "sites";

/** A site, or what is wrong with its file. */
export interface SiteReading {
  /** Undefined when there are errors. */
  readonly site: SiteConfiguration | undefined;
  readonly problems: Problems;
  /** Where a value stands in the file, by its path of keys. */
  readonly placeOf: (path: readonly PropertyKey[]) => Place;
}

/** Sites by name, and where values of those in files of their own stand. */
export interface Sites {
  readonly sites: ReadonlyMap<string, SiteConfiguration>;
  readonly places: ReadonlyMap<string, SiteReading["placeOf"]>;
}

/**
 * Reads the text of a site's file.
 * @param file for places
 */
export function readSite(text: string, file: string): SiteReading {
  const { root, problems } = parsePositionedYaml(text, file, "CONFIG_INVALID");
  if (root === undefined) return { site: undefined, problems, placeOf: () => ({ file }) };
  const value = root.kind === "scalar" && root.value === null ? {} : plainValue(root);
  const parsed = siteSchema().safeParse(value);
  if (!parsed.success)
    for (const issue of parsed.error.issues)
      reportIssue(issue, root, { before: [], problems, schema: siteSchema() });
  return {
    site: parsed.success && problems.errors.length === 0 ? parsed.data : undefined,
    problems: { errors: inOrderOfPlace(problems.errors), warnings: problems.warnings },
    placeOf: (path) => placeOfPath(root, path, "value"),
  };
}

/**
 * Reads all files of the folder `sites`.
 *
 * @param root the repository's root
 * @param configured sites of `spacktainers.yaml`
 * @returns those and the others by name
 */
export async function loadSites(
  root: string,
  configured: ReadonlyMap<string, SiteConfiguration>,
  problems: ProblemList,
): Promise<Sites> {
  const folder = join(root, sitesFolder);
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT" && error.code !== "ENOTDIR")
      problems.error("CONFIG_INVALID", `the folder cannot be read: ${error.message}`, { file: folder });
    return [];
  });
  const sites = new Map(configured);
  const places = new Map<string, SiteReading["placeOf"]>();
  for (const file of names.sort()) {
    const name = /^([A-Za-z0-9][A-Za-z0-9._-]*)\.ya?ml$/.exec(file)?.[1];
    if (name === undefined) continue;
    const path = join(folder, file);
    if (sites.has(name)) {
      problems.error(
        "CONFIG_INVALID",
        `the site \`${name}\` is described twice`,
        { file: path, line: 1, column: 1 },
        "in spacktainers.yaml or another file of this folder; remove one of them",
      );
      continue;
    }
    const bytes = await readBounded(path, yamlLimits.bytes).catch((error: unknown) => {
      const message = error instanceof SpacktainersError ? error.message : String(error);
      problems.error("CONFIG_INVALID", `the file cannot be read: ${message}`, { file: path });
      return Buffer.alloc(0);
    });
    if (bytes === undefined) {
      problems.error("CONFIG_INVALID", `the file is larger than ${yamlLimits.bytes} bytes`, { file: path });
      continue;
    }
    const reading = readSite(bytes.toString("utf8"), path);
    problems.add(reading.problems);
    if (reading.site === undefined) continue;
    sites.set(name, reading.site);
    places.set(name, reading.placeOf);
  }
  return { sites, places };
}
