import { runTool } from "../../util/tool.ts";

/** Milliseconds that git may take. */
const patience = 5000;

/**
 * Where a repository is kept, as the remote `origin` of git says: on GitHub, on a GitLab.
 *
 * @param folder absolute; it need not exist
 */
export async function remoteHost(folder: string): Promise<"github" | "gitlab" | "none"> {
  const { status, stdout } = await runTool(["git", "-C", folder, "remote", "get-url", "origin"], {
    timeout: patience,
  });
  if (status !== 0) return "none";
  const host = /^(?:[a-z+]+:\/\/)?(?:[^@/]*@)?([^/:]+)/i.exec(stdout.trim())?.[1] ?? "";
  if (/(?:^|\.)github\./i.test(host)) return "github";
  return /(?:^|\.)gitlab\./i.test(host) ? "gitlab" : "none";
}
