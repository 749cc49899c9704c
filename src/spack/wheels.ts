/** Spack's solver: Python packages as wheels, from a package index or a folder, unpacked to where Python finds them. */
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { HttpClient } from "../net/http.ts";
import { sweepTemporaries, temporaryPath } from "../util/atomicFile.ts";
import { type Digest, digestOf, digestOfHex, hexOfDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { type EmitEvent, runTask } from "../util/events.ts";
import { stopIfAborted } from "../util/interruption.ts";
import { isJsonObject } from "../util/json.ts";
import { removeIfPossible } from "../util/removeIfPossible.ts";
import { lastLine, type ToolResult } from "../util/tool.ts";
import type { Python } from "./python.ts";

/** A Python package that the solver consists of. */
interface SolverPackage {
  readonly name: string;
  /** The version to use; undefined: the newest that fits. */
  readonly version: string | undefined;
}

/** The solver. Its version decides what it answers, so it is pinned; what it is bound to Python with is not. */
const solverPackages: readonly SolverPackage[] = [
  { name: "clingo", version: "5.8.0" },
  { name: "cffi", version: undefined },
  { name: "pycparser", version: undefined },
];

const defaultIndex = "https://pypi.org/simple/";

/** Largest wheel, in bytes. */
const largestWheel = 64 * 2 ** 20;

/** A wheel's file name, taken apart (binary distribution format, "File name convention"). */
export interface WheelName {
  readonly name: string;
  readonly version: string;
  readonly pythons: readonly string[];
  readonly abis: readonly string[];
  readonly platforms: readonly string[];
}

/** Takes a file name apart; undefined for what is none of a wheel. */
export function parseWheelName(file: string): WheelName | undefined {
  const parts = /^([^-]+)-([^-]+)(?:-\d[^-]*)?-([^-]+)-([^-]+)-([^-]+)\.whl$/.exec(file);
  const [, name, version, pythons, abis, platforms] = parts ?? [];
  if (name === undefined || version === undefined || pythons === undefined) return undefined;
  return {
    name: name.toLowerCase().replaceAll(/[-_.]+/g, "-"),
    version,
    pythons: pythons.split("."),
    abis: (abis ?? "").split("."),
    platforms: (platforms ?? "").split("."),
  };
}

/** Whether a wheel is for this Python on this machine. */
export function wheelFits(wheel: WheelName, python: Python): boolean {
  const [major, minor] = python.version;
  const own = `cp${major}${minor}`;
  const older = (tag: string): boolean => {
    const match = /^cp3(\d+)$/.exec(tag);
    return match !== null && major === 3 && Number(match[1]) <= minor;
  };
  const interpreter = wheel.pythons.some((tag) => {
    if (tag === own) return wheel.abis.some((abi) => abi === own || abi === "abi3" || abi === "none");
    if (older(tag)) return wheel.abis.includes("abi3");
    return (tag === `py${major}` || tag === `py${major}${minor}`) && wheel.abis.includes("none");
  });
  return interpreter && wheel.platforms.some((platform) => platformFits(platform, python));
}

const oldManylinux: Readonly<Record<string, number>> = {
  manylinux1: 5,
  manylinux2010: 12,
  manylinux2014: 17,
};

function platformFits(platform: string, { machine, glibc }: Python): boolean {
  if (platform === "any") return true;
  if (!platform.endsWith(`_${machine}`)) return false;
  const kind = platform.slice(0, -machine.length - 1);
  if (kind === "linux") return true;
  const numbers = /^manylinux_(\d+)_(\d+)$/.exec(kind);
  const [major, minor] =
    numbers === null ? [2, oldManylinux[kind]] : [Number(numbers[1]), Number(numbers[2])];
  if (minor === undefined || glibc === undefined) return false;
  return glibc[0] > major || (glibc[0] === major && glibc[1] >= minor);
}

/** Compares release versions such as `1.17.1`; undefined for versions that are no releases. */
function releaseNumbers(version: string): readonly number[] | undefined {
  return /^\d+(?:\.\d+)*$/.test(version) ? version.split(".").map(Number) : undefined;
}

function isNewer(a: readonly number[], b: readonly number[]): boolean {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/**
 * The wheel of a package to use: of the wanted version, else of the newest release, that is for this Python.
 *
 * @param files names of files
 */
export function chooseWheel(
  files: readonly string[],
  { name, version }: { readonly name: string; readonly version: string | undefined },
  python: Python,
): string | undefined {
  let best: { readonly file: string; readonly release: readonly number[] } | undefined;
  for (const file of files) {
    const wheel = parseWheelName(file);
    if (wheel?.name !== name || !wheelFits(wheel, python)) continue;
    const release = releaseNumbers(wheel.version);
    if (release === undefined || (version !== undefined && wheel.version !== version)) continue;
    if (best === undefined || isNewer(release, best.release)) best = { file, release };
  }
  return best?.file;
}

/** What is needed to get the solver. */
export interface SolverOptions {
  /** Folder of wheels, or URL of a Python package index. Undefined: PyPI. */
  readonly from: string | undefined;
  readonly python: Python;
  /** Runs it. */
  readonly run: (args: readonly string[], env: NodeJS.ProcessEnv) => Promise<ToolResult>;
  /** Where it is kept. */
  readonly directory: string;
  readonly http: HttpClient;
  readonly emit: EmitEvent;
  readonly signal?: AbortSignal | undefined;
}

/** The solver, ready. */
export interface Solver {
  /** For PYTHONPATH. */
  readonly folder: string;
  /** Names of the wheels. */
  readonly wheels: readonly string[];
}

/**
 * Gets the solver, once for a Python and a source; what is there is used without asking anybody.
 *
 * @throws SpacktainersError NOT_FOUND when there is no wheel for this Python; NETWORK, ACCESS_DENIED, CHECKSUM_MISMATCH
 */
export async function openSolver(options: SolverOptions): Promise<Solver> {
  const { python, directory, from } = options;
  const key = digestOf(
    JSON.stringify([
      from ?? defaultIndex,
      solverPackages,
      python.version.slice(0, 2),
      python.machine,
      python.glibc ?? null,
    ]),
  );
  const folder = join(directory, hexOfDigest(key).slice(0, 32));
  const known = await wheelsOf(folder);
  if (known !== undefined) return { folder, wheels: known };
  return runTask(
    options.emit,
    { kind: "download", label: "Spack's solver", subject: folder, signal: options.signal },
    () => makeSolver(folder, options),
  );
}

const listName = "wheels.json";

async function wheelsOf(folder: string): Promise<readonly string[] | undefined> {
  const text = await readFile(join(folder, listName), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as readonly string[]);
}

async function makeSolver(folder: string, options: SolverOptions): Promise<Solver> {
  const { directory, run, signal } = options;
  await mkdir(directory, { recursive: true });
  await sweepTemporaries(directory);
  const unfinished = temporaryPath(directory);
  await mkdir(unfinished);
  try {
    const wheels: string[] = [];
    for (const wanted of solverPackages) {
      const { file, path, remove } = await fetchWheel(wanted, unfinished, options);
      // Python is needed anyway, and reads its own archives.
      const unpacked = await run(["-I", "-m", "zipfile", "-e", path, unfinished], { LC_ALL: "C.UTF-8" });
      stopIfAborted(signal);
      if (remove) await removeIfPossible(path);
      if (unpacked.status !== 0)
        throw new SpacktainersError(
          "ARCHIVE_INVALID",
          `${file} cannot be unpacked: ${lastLine(unpacked.stderr)}`,
        );
      wheels.push(file);
    }
    const tried = await run(["-S", "-c", "import clingo; clingo.Control()"], {
      PYTHONPATH: unfinished,
      LC_ALL: "C.UTF-8",
    });
    if (tried.status !== 0)
      throw new SpacktainersError(
        "NOT_SUPPORTED",
        `Spack's solver does not run here: ${lastLine(tried.stderr)}`,
        {
          hint: "`spack: wheels:` names where its wheels come from",
        },
      );
    await writeList(unfinished, wheels);
    await rename(unfinished, folder).catch(async (error: NodeJS.ErrnoException) => {
      // Another run was quicker.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
    return { folder, wheels };
  } finally {
    await removeIfPossible(unfinished);
  }
}

async function writeList(folder: string, wheels: readonly string[]): Promise<void> {
  await writeFile(join(folder, listName), JSON.stringify(wheels));
}

interface FetchedWheel {
  readonly file: string;
  readonly path: string;
  /** A download, which is not needed afterwards. */
  readonly remove: boolean;
}

/** A wheel of the folder, or one downloaded into `directory`. */
async function fetchWheel(
  wanted: SolverPackage,
  directory: string,
  options: SolverOptions,
): Promise<FetchedWheel> {
  const { from, python, http } = options;
  const missing = (where: string): SpacktainersError =>
    new SpacktainersError(
      "NOT_FOUND",
      `${where} has no wheel of ${wanted.name}${wanted.version === undefined ? "" : ` ${wanted.version}`} for Python ${python.version.slice(0, 2).join(".")} on ${python.machine}`,
      { hint: "`spack: wheels:` names a folder of wheels, or the URL of an index, that does" },
    );
  if (from !== undefined && !/^https?:/.test(from)) {
    const files = await readdir(from).catch((cause: unknown) => {
      throw new SpacktainersError("CONFIG_INVALID", `the folder of wheels ${from} cannot be read`, { cause });
    });
    const file = chooseWheel(files, wanted, python);
    if (file === undefined) throw missing(from);
    return { file, path: join(from, file), remove: false };
  }
  const index = from ?? defaultIndex;
  const listed = await listIndex(index, wanted.name, http);
  const file = chooseWheel(
    listed.filter(({ requires }) => pythonFits(requires, python)).map((each) => each.file),
    wanted,
    python,
  );
  const chosen = listed.find((each) => each.file === file);
  if (chosen === undefined) throw missing(index);
  const path = join(directory, chosen.file);
  await http.downloadFile(chosen.url, path, { expectedDigest: chosen.digest, maxBytes: largestWheel });
  return { file: chosen.file, path, remove: true };
}

interface ListedWheel {
  readonly file: string;
  readonly url: string;
  readonly digest: Digest;
  readonly requires: string | undefined;
}

/** What an index has of a package (simple repository API, JSON form); what has no SHA-256 is left out. */
async function listIndex(index: string, name: string, http: HttpClient): Promise<readonly ListedWheel[]> {
  const url = new URL(`${name}/`, index.endsWith("/") ? index : `${index}/`).href;
  const answer = await http.getBytes(url, { headers: { accept: "application/vnd.pypi.simple.v1+json" } });
  if (answer.status !== 200) return [];
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(answer.bytes).toString("utf8"));
  } catch (cause) {
    throw new SpacktainersError("NETWORK", "this is not a Python package index, or one without JSON", {
      place: { url },
      cause,
    });
  }
  const files = isJsonObject(document) && Array.isArray(document.files) ? document.files : [];
  return files.flatMap((entry): ListedWheel[] => {
    if (!isJsonObject(entry) || entry.yanked === true) return [];
    const { filename, hashes, "requires-python": requires } = entry;
    const hex = isJsonObject(hashes) ? hashes.sha256 : undefined;
    if (typeof filename !== "string" || typeof entry.url !== "string" || filename.includes("/")) return [];
    if (typeof hex !== "string" || !/^[0-9a-f]{64}$/.test(hex)) return [];
    return [
      {
        file: filename,
        url: new URL(entry.url, url).href,
        digest: digestOfHex(hex),
        requires: typeof requires === "string" ? requires : undefined,
      },
    ];
  });
}

/** Whether a Python fits `requires-python`, of which only lower and upper bounds are understood. */
function pythonFits(requires: string | undefined, { version }: Python): boolean {
  return (requires ?? "").split(",").every((bound) => {
    const match = /^\s*(>=|<=|<|>)\s*(\d+(?:\.\d+)*)\s*$/.exec(bound);
    if (match === null) return true;
    const numbers = (match[2] ?? "").split(".").map(Number);
    const [above, below] = [isNewer(version, numbers), isNewer(numbers, version)];
    switch (match[1]) {
      case ">=":
        return !below;
      case "<=":
        return !above;
      case "<":
        return below;
      default:
        return above;
    }
  });
}
