import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { catalogueFormat } from "../../catalogue/document.ts";
import { webAddress } from "../../catalogue/markup.ts";
import { siteFiles } from "../../catalogue/siteFiles.ts";
import { replaceDirectory } from "../../image/outputTarget.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { withTargetLock } from "../../util/targetLock.ts";
import { type CatalogueRequest, gatherCatalogue } from "./gatherCatalogue.ts";
import { siteAssets } from "./siteAssets.ts";

/** A command line of `catalogue build`. */
export interface BuildCatalogueRequest extends CatalogueRequest {
  /** The folder to write. */
  readonly into: string;
  /** Replace it even if it is no catalogue. */
  readonly force: boolean;
}

/** What was written. */
export interface BuiltCatalogue {
  readonly into: string;
  readonly containers: number;
  readonly images: number;
  /** Packages of different names that are in images. */
  readonly packages: number;
  readonly files: number;
  readonly bytes: number;
  /** Sources that could not be reached or read, as sentences. */
  readonly missing: readonly string[];
}

/**
 * Makes the catalogue of a repository: a folder of pages, written whole or not at all. The same facts give the same bytes.
 *
 * @throws {SpacktainersError} of finding out; `USAGE` for an address that is none; `OUTPUT_EXISTS` when something else is in the
 *   folder's place
 */
export async function buildCatalogue(request: BuildCatalogueRequest): Promise<BuiltCatalogue> {
  const { directory, baseUrl, emit, signal } = request;
  if (baseUrl !== undefined && webAddress(baseUrl) === undefined)
    throw new SpacktainersError("USAGE", `${baseUrl} is not a web address`, {
      hint: "such as https://my-group.github.io/containers",
    });
  const into = resolve(directory, request.into);
  const facts = await gatherCatalogue(request);
  const assets = await siteAssets();
  emit({ type: "stage", stage: "write-file" });
  let files = 0;
  let bytes = 0;
  await withTargetLock(into, () =>
    replaceDirectory(into, { force: request.force }, isCatalogue, async (temporary) => {
      const made = new Set<string>();
      for (const { path, text } of siteFiles(facts, assets)) {
        signal.throwIfAborted();
        const file = join(temporary, path);
        const folder = dirname(file);
        if (!made.has(folder)) await mkdir(folder, { recursive: true });
        made.add(folder);
        const content = Buffer.from(text);
        // No two names may have one page.
        await writeFile(file, content, { flag: "wx" });
        files += 1;
        bytes += content.length;
      }
    }),
  );
  const inside = new Set(
    facts.containers.flatMap(({ images }) => images.flatMap(({ packages }) => packages)),
  );
  return {
    into,
    containers: facts.containers.length,
    images: facts.containers.reduce((sum, { images }) => sum + images.length, 0),
    packages: new Set([...inside].map((hash) => facts.graph.get(hash)?.name)).size,
    files,
    bytes,
    missing: facts.missing,
  };
}

/** Whether a folder is a catalogue that we made: its document says so, right at the beginning. */
export async function isCatalogue(folder: string): Promise<boolean> {
  const text = await readFile(join(folder, "catalogue.json"), "utf8").catch(() => "");
  return text.startsWith(`{"format":"${catalogueFormat}",`);
}
