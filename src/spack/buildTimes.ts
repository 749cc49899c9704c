/** How long packages took to build, and how much memory: of earlier runs on this machine. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ConcreteSpec } from "../spec/concrete.ts";
import { writeFileAtomically } from "../util/atomicFile.ts";

/** What one build took. */
export interface BuildTime {
  readonly seconds: number;
  /** Most memory at a time, in bytes; undefined when not known. */
  readonly memory: number | undefined;
}

interface Entry extends BuildTime {
  readonly hash: string;
  readonly version: string;
}

/** Entries kept of a package. */
const kept = 20;

type Id = Pick<ConcreteSpec, "name" | "version" | "hash">;

/** What is remembered of builds. */
export interface BuildTimes {
  /** What building it took, or else another configuration of its version, or another version; undefined when nothing is known. */
  find(spec: Id): Promise<BuildTime | undefined>;
  /** Remembers a build. Never fails: it is a hint. */
  record(spec: Id, time: BuildTime): Promise<void>;
}

/** Opens what is remembered in a folder, which need not exist. */
export function openBuildTimes(directory: string): BuildTimes {
  const read = async (name: string): Promise<readonly Entry[]> => {
    try {
      const entries: unknown = JSON.parse(await readFile(fileOf(name), "utf8"));
      return Array.isArray(entries) ? entries.filter(isEntry) : [];
    } catch {
      return [];
    }
  };
  const fileOf = (name: string): string => join(directory, `${name}.json`);
  return {
    async find({ name, version, hash }) {
      const entries = await read(name);
      // The latest is the last.
      const found =
        entries.findLast((entry) => entry.hash === hash) ??
        entries.findLast((entry) => entry.version === version) ??
        entries.at(-1);
      return found === undefined ? undefined : { seconds: found.seconds, memory: found.memory };
    },
    async record({ name, version, hash }, time) {
      const others = (await read(name)).filter((entry) => entry.hash !== hash);
      const entries = [...others, { hash, version, ...time }].slice(-kept);
      await writeFileAtomically(fileOf(name), JSON.stringify(entries)).catch(() => {});
    },
  };
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== "object" || value === null) return false;
  const { hash, version, seconds } = value as Record<string, unknown>;
  return (
    typeof hash === "string" && typeof version === "string" && typeof seconds === "number" && seconds >= 0
  );
}

/**
 * The seconds that Spack measured as it built a package: the text of `.spack/install_times.json`. Undefined for what it took from a
 * cache, and for what is no such file.
 */
export function secondsOfInstallTimes(text: string): number | undefined {
  try {
    const times = JSON.parse(text) as { readonly total?: unknown; readonly cache?: unknown } | null;
    const total = times?.total;
    return typeof total === "number" && total >= 0 && times?.cache !== true ? total : undefined;
  } catch {
    return undefined;
  }
}
