/** The packages that a finished root file system says it has. */
import { contentOf, readContent } from "../archive/content.ts";
import type { EntryStream } from "../archive/entry.ts";
import { parseControl } from "./debian/control.ts";
import type { BasePackage } from "./types.ts";

const statusPath = "var/lib/dpkg/status";
/** One file a package, in images made without dpkg. */
const statusFolder = "var/lib/dpkg/status.d/";
const maxStatusBytes = 64 * 2 ** 20;

/** Entries passing by, and the dpkg status among them. */
export interface StatusWatch {
  /** To be read once. */
  readonly entries: EntryStream;
  /** The packages installed, sorted by name; undefined when no status file passed. */
  readonly packages: () => readonly BasePackage[] | undefined;
}

/** Looks out for dpkg's status while entries pass by. */
export function watchDpkgStatus(entries: EntryStream): StatusWatch {
  const found: BasePackage[] = [];
  let seen = false;
  async function* passing(): EntryStream {
    for await (const entry of entries) {
      const folder = entry.path.startsWith(statusFolder) && !entry.path.endsWith(".md5sums");
      if (entry.type !== "file" || (entry.path !== statusPath && !folder)) {
        yield entry;
        continue;
      }
      const bytes = await readContent(entry, maxStatusBytes);
      seen = true;
      found.push(...parseDpkgStatus(bytes.toString("utf8"), folder));
      yield { ...entry, content: contentOf(bytes) };
    }
  }
  return {
    entries: passing(),
    packages: () =>
      seen ? [...found].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)) : undefined,
  };
}

/**
 * The installed packages of a status file.
 * @param all count every package, whether its state is given or not
 */
export function parseDpkgStatus(text: string, all = false): BasePackage[] {
  return parseControl(text).flatMap((paragraph): BasePackage[] => {
    const name = paragraph.get("package");
    const version = paragraph.get("version");
    const architecture = paragraph.get("architecture");
    const state = paragraph.get("status") ?? "";
    if (name === undefined || version === undefined || architecture === undefined) return [];
    if (!all && !state.endsWith(" ok installed")) return [];
    const source = /^(\S+)(?: \(([^)]+)\))?$/.exec(paragraph.get("source") ?? "");
    return [
      {
        name,
        version,
        architecture,
        ...(source?.[1] === undefined ? {} : { source: { name: source[1], version: source[2] ?? version } }),
      },
    ];
  });
}
