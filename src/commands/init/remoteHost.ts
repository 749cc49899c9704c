import { stat } from "node:fs/promises";
import { join } from "node:path";
import { configurationFileName } from "../../definitions/configuration.ts";
import { runTool } from "../../util/tool.ts";

/** Milliseconds that git may take. */
const patience = 5000;

/**
 * Whose pipelines a repository needs, as the remote `origin` of git says: GitHub's, GitLab's, or those of a host that has none of
 * these. Without a remote they are those of the host that the folder has files for, or else GitHub's.
 *
 * @param folder absolute; it need not exist
 */
export async function remoteHost(folder: string): Promise<"github" | "gitlab" | "none"> {
  const { status, stdout } = await runTool(["git", "-C", folder, "remote", "get-url", "origin"], {
    timeout: patience,
  });
  if (status !== 0) {
    // Whoever has a repository already has it without pipelines because that is wanted.
    if (await isThere(join(folder, configurationFileName))) return "none";
    return (await isThere(join(folder, ".gitlab-ci.yml"))) ? "gitlab" : "github";
  }
  const host = /^(?:[a-z+]+:\/\/)?(?:[^@/]*@)?([^/:]+)/i.exec(stdout.trim())?.[1] ?? "";
  if (/(?:^|\.)github\./i.test(host)) return "github";
  return /(?:^|\.)gitlab\./i.test(host) ? "gitlab" : "none";
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
