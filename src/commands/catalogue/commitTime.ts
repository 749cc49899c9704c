import { runTool } from "../../util/tool.ts";

/** How long git may take, in milliseconds. */
const patience = 10_000;

/**
 * When a commit was made, as RFC 3339 in UTC.
 * @param root folder of the repository
 * @returns undefined without git, and for a commit that this clone does not have
 */
export async function commitTime(root: string, revision: string): Promise<string | undefined> {
  if (!/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(revision)) return undefined;
  // A repository's own configuration may name a program to ask what changed: not here.
  const words = ["-c", "core.fsmonitor=false", "-C", root, "show", "-s", "--format=%ct", revision];
  const { status, stdout } = await runTool(["git", ...words], { timeout: patience }).catch(() => ({
    status: 1,
    stdout: "",
  }));
  const seconds = Number(stdout.trim());
  return status !== 0 || !Number.isSafeInteger(seconds) || seconds <= 0 ? undefined : rfc3339(seconds * 1000);
}

/** A time as the feed has it: UTC, whole seconds. */
export function rfc3339(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d{3}Z$/, "Z");
}
