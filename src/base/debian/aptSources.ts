/** The machine's apt configuration, read for one purpose: the mirror that this machine uses. sources.list(5), apt.conf(5). */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseControl } from "./control.ts";

/** One source of apt. */
export interface AptSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** False when the source says that an index is good past its `Valid-Until`. */
  readonly checkValidUntil?: boolean;
}

/** Parses a `.sources` file (deb822 style); disabled and source-code entries are left out. */
export function parseSourcesFile(text: string): AptSource[] {
  return parseControl(text).flatMap((paragraph): AptSource[] => {
    const words = (field: string): string[] =>
      (paragraph.get(field) ?? "").split(/\s+/).filter((word) => word !== "");
    if (!words("types").includes("deb") || isNo(paragraph.get("enabled"))) return [];
    return [
      {
        uris: words("uris"),
        suites: words("suites"),
        components: words("components"),
        ...(isNo(paragraph.get("check-valid-until")) ? { checkValidUntil: false } : {}),
      },
    ];
  });
}

/** Parses a `sources.list` file (one line a source). */
export function parseSourcesList(text: string): AptSource[] {
  return text.split("\n").flatMap((line): AptSource[] => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S.*)$/.exec(line.split("#", 1)[0] ?? "");
    if (match?.[2] === undefined) return [];
    const [uri = "", suite, ...components] = match[2].trim().split(/\s+/);
    if (suite === undefined) return [];
    const unchecked = (match[1] ?? "")
      .split(/\s+/)
      .some((option) => option.startsWith("check-valid-until=") && isNo(option.slice(18)));
    return [{ uris: [uri], suites: [suite], components, ...(unchecked ? { checkValidUntil: false } : {}) }];
  });
}

/** Whether apt.conf text switches the check of `Valid-Until` off for all sources (the simple notation only). */
export function disablesValidUntil(text: string): boolean {
  return text
    .split("\n")
    .some((line) =>
      /^\s*Acquire::Check-Valid-Until\s+"?(?:false|no|0|off|without|disable)"?\s*;/i.test(line),
    );
}

/**
 * Reads the machine's sources. What is missing or unreadable counts as empty.
 * @param root directory that stands for `/`, for tests
 */
export async function readAptSources(root = "/"): Promise<readonly AptSource[]> {
  const folder = join(root, "etc/apt");
  const parts = await textFiles(join(folder, "sources.list.d"));
  const sources = [
    ...parseSourcesList(await textFile(join(folder, "sources.list"))),
    ...parts.flatMap(({ name, text }) => {
      if (name.endsWith(".sources")) return parseSourcesFile(text);
      return name.endsWith(".list") ? parseSourcesList(text) : [];
    }),
  ];
  const configuration = await textFiles(join(folder, "apt.conf.d"));
  const unchecked =
    disablesValidUntil(await textFile(join(folder, "apt.conf"))) ||
    configuration.some(({ text }) => disablesValidUntil(text));
  return unchecked ? sources.map((source) => ({ ...source, checkValidUntil: false })) : sources;
}

async function textFiles(directory: string): Promise<{ name: string; text: string }[]> {
  const names = await readdir(directory).catch(() => []);
  return Promise.all(
    names.sort().map(async (name) => ({ name, text: await textFile(join(directory, name)) })),
  );
}

function textFile(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}

function isNo(value: string | undefined): boolean {
  return (
    value !== undefined && ["no", "false", "0", "off", "without", "disable"].includes(value.toLowerCase())
  );
}
