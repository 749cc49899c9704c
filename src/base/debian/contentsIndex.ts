/** `Contents-ARCH`: which packages of an archive have a file. https://wiki.debian.org/DebianRepository/Format */
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { decompressStream } from "../../archive/decompress.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { runTask } from "../../util/events.ts";
import { type ArchiveContext, downloadIndex, type IndexFile, type OpenedSuite } from "./debianArchive.ts";

const maxContentsBytes = 4 * 2 ** 30;

/**
 * The packages that have shared libraries in the folders where the loader looks. The indexes are large: they are for
 * libraries whose package is not named after them.
 *
 * @param sonames as in DT_NEEDED, such as `libmpi.so.40`
 * @param multiarch such as `x86_64-linux-gnu`
 * @returns package by library; a library that no package has, or of which no index can be had, is left out
 * @throws SpacktainersError CHECKSUM_MISMATCH, ARCHIVE_INVALID
 */
export async function packagesWithLibraries(
  suites: readonly OpenedSuite[],
  sonames: readonly string[],
  multiarch: string,
  context: ArchiveContext,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const wanted = new Set(sonames);
  for (const suite of suites)
    for (const index of contentsIndexes(suite, context)) {
      if (sonames.every((soname) => found.has(soname))) return found;
      try {
        await searchIndex(suite, index, context, (line) => {
          const hit = libraryLine(line, multiarch);
          if (hit !== undefined && wanted.has(hit.soname) && !found.has(hit.soname))
            found.set(hit.soname, hit.packageName);
        });
      } catch (error) {
        // Not every mirror has them, and the build says what is missing anyway.
        const absent = error instanceof SpacktainersError && ["NOT_FOUND", "NETWORK"].includes(error.code);
        if (!absent) throw error;
      }
    }
  return found;
}

/** Debian has one for each component; Ubuntu has one for all. */
function contentsIndexes(
  { release }: OpenedSuite,
  { architecture, components }: ArchiveContext,
): IndexFile[] {
  const paths = [
    ...components.map((component) => `${component}/Contents-${architecture}`),
    `Contents-${architecture}`,
  ];
  return paths.flatMap((path) => {
    for (const name of [`${path}.xz`, `${path}.gz`]) {
      const file = release.files.get(name);
      if (file !== undefined && file.size > 0) return [{ path: name, ...file }];
    }
    return [];
  });
}

async function searchIndex(
  suite: OpenedSuite,
  index: IndexFile,
  context: ArchiveContext,
  onLine: (line: string) => void,
): Promise<void> {
  const task = {
    kind: "index",
    subject: `${suite.folder.name}:${index.path}`,
    label: `files of ${suite.folder.name}`,
    bytes: index.size,
  } as const;
  await runTask(context.emit, task, async ({ progress }) => {
    const path = await downloadIndex(suite, index, context, progress);
    try {
      const where = { url: `${suite.folder.name}/${index.path}` };
      const chunks = decompressStream(createReadStream(path, { highWaterMark: 2 ** 18 }), {
        where,
        maxBytes: maxContentsBytes,
      });
      const lines = createInterface({ input: Readable.from(chunks), crlfDelay: Number.POSITIVE_INFINITY });
      for await (const line of lines) onLine(line);
    } finally {
      await rm(path, { force: true });
    }
  });
}

/** The library and the package of a line; undefined for a file that the loader does not look for. */
export function libraryLine(
  line: string,
  multiarch: string,
): { readonly soname: string; readonly packageName: string } | undefined {
  if (!line.includes(".so")) return undefined;
  const split = line.lastIndexOf(" ");
  const path = line.slice(0, split).trimEnd();
  const slash = path.lastIndexOf("/");
  if (![`usr/lib/${multiarch}`, `lib/${multiarch}`, "usr/lib", "lib"].includes(path.slice(0, slash)))
    return undefined;
  // `section/name`, or `area/section/name`, of several packages with commas between them.
  const names = line
    .slice(split + 1)
    .split(",")
    .map((place) => place.slice(place.lastIndexOf("/") + 1))
    .filter((name) => /^[a-z0-9][a-z0-9+.-]*$/.test(name))
    .sort();
  const [packageName] = names;
  return packageName === undefined ? undefined : { soname: path.slice(slash + 1), packageName };
}
