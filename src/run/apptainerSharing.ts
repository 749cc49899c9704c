/**
 * Ranks of Apptainer in one namespace. Installed with set-user-ID it makes no user namespaces; without, each rank is in one of its own
 * and cannot read another's memory, unless `--sharens` puts all that one process started into that of the first.
 */
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomically } from "../util/atomicFile.ts";
import { digestOf, hexOfDigest } from "../util/digest.ts";
import { runTool } from "../util/tool.ts";
import { localRanks } from "./localRanks.ts";
import { rankFolder } from "./rankFolder.ts";

/** How a rank starts with the others of its machine. */
export interface Sharing {
  /** A folder for Apptainer's notes on who is there: of these ranks alone. */
  readonly notes: string;
  /** Words before the program and its arguments. */
  readonly before: readonly string[];
}

/**
 * Lets the ranks of a machine wait for one another before any of them goes on: the namespace is the first one's, and who comes when
 * that has ended already cannot be started (apptainer#1906). Arguments: a folder, this rank's number, how many there are; program.
 */
export const meetingScript = `
meeting=$1 own=$2 count=$3 tries=0
shift 3
: >"$meeting/$own"
while [ $tries -lt 500 ]; do
  found=0
  for file in "$meeting"/*; do found=$((found + 1)); done
  [ $found -lt $count ] || break
  sleep 0.02 2>/dev/null
  tries=$((tries + 1))
done
exec "$@"
`;

/**
 * How a rank is to share a namespace; undefined where it cannot, or need not.
 *
 * @param program path of Apptainer
 * @param key equal for ranks that are to be in equal containers
 * @param memory a folder for what was found out about Apptainer
 */
export async function apptainerSharing(
  program: string,
  key: string,
  memory: string,
): Promise<Sharing | undefined> {
  const ranks = localRanks();
  // The container sees this machine's /dev, and with it the folder.
  if (ranks === undefined || ranks.count < 2 || !(await needsSharing(program, memory))) return undefined;
  const folder = await rankFolder(key, "/dev/shm");
  if (folder === undefined) return undefined;
  const { own, count } = ranks;
  // A step may start several programs, one after the other: each has a meeting of its own.
  const counter = join(folder, `count-${own}`);
  const before = Number(await readFile(counter, "utf8").catch(() => "0")) || 0;
  await writeFile(counter, String(before + 1));
  const meeting = join(folder, `ranks-${before + 1}`);
  await mkdir(meeting, { recursive: true });
  return {
    notes: join(folder, "apptainer"),
    before: ["/bin/sh", "-c", meetingScript, "sh", meeting, String(own), String(count)],
  };
}

/** Whether an Apptainer makes user namespaces, and can share them; found out once. */
export async function needsSharing(program: string, memory: string): Promise<boolean> {
  const facts = await stat(program);
  const identity = digestOf(JSON.stringify([program, facts.size, facts.mtimeMs]));
  const path = join(memory, `sharing-${hexOfDigest(identity).slice(0, 16)}`);
  const known = await readFile(path, "utf8").catch(() => undefined);
  if (known !== undefined) return known === "yes";
  const answer = await couldShare(program);
  await writeFileAtomically(path, answer ? "yes" : "no").catch(() => {});
  return answer;
}

/** Whether an Apptainer makes user namespaces for those who are not root, and can share them. */
export async function couldShare(program: string): Promise<boolean> {
  const help = await runTool([program, "exec", "--help"], { timeout: 30_000 });
  return help.stdout.includes("--sharens") && !(await hasSetUserId(program));
}

/** Whether it is installed with set-user-ID, and its configuration lets it be used. */
async function hasSetUserId(program: string): Promise<boolean> {
  const ask = async (name: string): Promise<string> =>
    (await runTool([program, "buildcfg", name], { timeout: 30_000 })).stdout.trim();
  const starter = join(await ask("LIBEXECDIR"), "apptainer/bin/starter-suid");
  const facts = await stat(starter).catch(() => undefined);
  if (facts === undefined || facts.uid !== 0 || (facts.mode & 0o4000) === 0) return false;
  const configuration = await readFile(await ask("APPTAINER_CONF_FILE"), "utf8").catch(() => "");
  return !/^\s*allow setuid\s*=\s*no\b/m.test(configuration);
}
