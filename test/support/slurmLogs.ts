/** What was logged of a run on a test's Slurm cluster: without it, a failure that does not come back says nothing. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { onCluster, type SlurmCluster } from "./slurm.ts";

/** Lines kept of a log. */
const kept = 40;

/**
 * Does the work of a test. When it fails, the error has the jobs of the cluster, the end of Slurm's own logs, and the end of every log in the
 * folders behind its message.
 *
 * @param cluster undefined when it was not started
 * @param folders where our logs are; asked for only then
 */
export async function withSlurmLogs(
  cluster: SlurmCluster | undefined,
  folders: () => readonly string[],
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    if (!(thrown instanceof Error) || cluster === undefined) throw thrown;
    const jobs = await onCluster(cluster, ["squeue", "-t", "all", "-o", "%i %j %T %r %N %M"]).then(
      ({ stdout, stderr }) => stdout + stderr,
      (error: unknown) => String(error),
    );
    const logs = [join(cluster.folder, "log"), ...folders()].flatMap(endsOfLogs);
    thrown.message += `\n\n--- jobs\n${jobs}${logs.join("")}`;
    throw thrown;
  }
}

function endsOfLogs(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => {
      const lines = readFileSync(path, "utf8").trimEnd().split("\n");
      return `\n--- ${path}\n${lines.slice(-kept).join("\n")}\n`;
    });
}
