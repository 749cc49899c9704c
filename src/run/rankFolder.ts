/** Where the ranks of a machine leave word for one another. */
import { chmod, lstat, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf, hexOfDigest } from "../util/digest.ts";
import { isSameProcess, startOfProcess } from "../util/processes.ts";
import { removeTree } from "../util/removeTree.ts";
import { hostEnvironment } from "../util/surroundings.ts";

/** Names whoever started the ranks: when that has ended, so have they. */
const launcherFile = "launcher";

/**
 * A folder that is common to ranks of one start of a program and to no others. Those of starts that have ended are removed.
 *
 * @param key tells apart ranks of one start that must not meet: those of different containers
 * @param place only a folder below this one
 * @returns undefined where there is no place for it
 */
export async function rankFolder(key: string, place?: string): Promise<string | undefined> {
  const all = await ownFolder(place === undefined ? ["/dev/shm", tmpdir()] : [place]);
  if (all === undefined) return undefined;
  await sweep(all);
  const folder = join(all, hexOfDigest(digestOf(`${launchOf()} ${key}`)).slice(0, 32));
  await mkdir(folder, { recursive: true });
  const launcher = `${process.ppid} ${startOfProcess(process.ppid) ?? "-"}`;
  // Ranks may have been started by different shells of one launcher: the first of them will do.
  await writeFile(join(folder, launcherFile), launcher, { flag: "wx" }).catch(() => {});
  return folder;
}

/** What ranks that belong together have in common: the step of a Slurm job, else who started them. */
function launchOf(env: NodeJS.ProcessEnv = hostEnvironment()): string {
  const { SLURM_JOB_ID: job, SLURM_STEP_ID: step, SLURM_NODEID: node } = env;
  if (job !== undefined && step !== undefined) return `slurm ${job} ${step} ${node ?? ""}`;
  return `process ${process.ppid} ${startOfProcess(process.ppid) ?? ""}`;
}

/** A folder of this machine alone, and of this user alone. */
async function ownFolder(places: readonly string[]): Promise<string | undefined> {
  const uid = process.getuid?.() ?? 0;
  for (const place of places) {
    const folder = join(place, `spacktainers-${uid}`);
    await mkdir(folder, { mode: 0o700 }).catch(() => {});
    const facts = await lstat(folder).catch(() => undefined);
    if (facts?.isDirectory() !== true || facts.uid !== uid) continue;
    if ((facts.mode & 0o077) !== 0) await chmod(folder, 0o700);
    return folder;
  }
  return undefined;
}

async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const [pid, start] = (await readFile(join(path, launcherFile), "utf8").catch(() => "")).split(" ");
    // One without is about to get it.
    if (start !== undefined && !isSameProcess(Number(pid), start)) await removeTree(path).catch(() => {});
  }
}
