/** Where a definition is kept: what CI and git know of it. */
import { readFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import type { SourceDescription } from "../../supply/imageDescription.ts";
import { redactUrl } from "../../util/redact.ts";
import { hostEnvironment } from "../../util/surroundings.ts";
import { runTool } from "../../util/tool.ts";

/** Milliseconds after which git is not waited for any longer: a repository on a slow disk must not hold up a build. */
const patience = 10_000;

/**
 * What is known of the source of a container. CI's own variables come first, where the repository is CI's checkout; the rest
 * git says, where there is one. A commit is named only when the container's files are as they are in it.
 *
 * @param root folder of the repository
 * @param files that decide the container; those that do not exist are left out
 * @returns undefined when nothing is known
 */
export async function describeSource(
  root: string,
  definition: string,
  files: readonly string[],
  env: NodeJS.ProcessEnv = hostEnvironment(),
): Promise<SourceDescription | undefined> {
  const ci = ciFacts(root, env);
  const git = await gitFacts(root, [definition, ...files], env);
  if (ci === undefined && git === undefined) return undefined;
  const top = git?.top ?? ci?.top ?? root;
  const path = relative(top, definition);
  return {
    url: ci?.url ?? git?.url,
    revision: git?.changed === true ? undefined : (ci?.revision ?? git?.revision),
    lastChange: git?.changed === true ? undefined : git?.lastChange,
    ref: ci?.ref ?? git?.ref,
    path: path.startsWith("..") ? undefined : path,
  };
}

interface CiCheckout extends Pick<SourceDescription, "url" | "revision" | "ref"> {
  readonly top: string;
}

/** What GitHub Actions and GitLab say of the checkout they made, if the repository is in it. */
function ciFacts(root: string, env: NodeJS.ProcessEnv): CiCheckout | undefined {
  const inside = (folder: string | undefined): folder is string =>
    folder !== undefined && folder !== "" && !relative(folder, resolve(root)).startsWith("..");
  if (env.GITHUB_ACTIONS === "true" && inside(env.GITHUB_WORKSPACE) && env.GITHUB_REPOSITORY !== undefined)
    return {
      top: env.GITHUB_WORKSPACE,
      url: publicRemote(`${env.GITHUB_SERVER_URL ?? "https://github.com"}/${env.GITHUB_REPOSITORY}`),
      revision: commit(env.GITHUB_SHA),
      ref: env.GITHUB_REF,
    };
  if (env.GITLAB_CI === "true" && inside(env.CI_PROJECT_DIR) && env.CI_PROJECT_URL !== undefined) {
    const name = env.CI_COMMIT_TAG ?? env.CI_COMMIT_REF_NAME;
    return {
      top: env.CI_PROJECT_DIR,
      url: publicRemote(env.CI_PROJECT_URL),
      revision: commit(env.CI_COMMIT_SHA),
      ref:
        name === undefined ? undefined : `refs/${env.CI_COMMIT_TAG === undefined ? "heads" : "tags"}/${name}`,
    };
  }
  return undefined;
}

interface GitCheckout extends Pick<SourceDescription, "url" | "revision" | "lastChange" | "ref"> {
  readonly top: string;
  /** A file is not as it is in the commit, or in none. */
  readonly changed: boolean;
}

/** What git says; undefined without git, or outside of a repository. */
async function gitFacts(
  root: string,
  files: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<GitCheckout | undefined> {
  const git = async (...args: string[]): Promise<string | undefined> => {
    const { status, stdout } = await runTool(
      // A repository's own configuration may name a program to ask what changed: not here.
      ["git", "-c", "core.fsmonitor=false", "-C", root, ...args],
      {
        timeout: patience,
        env: { ...env, LC_ALL: "C", GIT_OPTIONAL_LOCKS: "0", GIT_TERMINAL_PROMPT: "0" },
      },
    );
    return status === 0 ? stdout.trim() : undefined;
  };
  const where = await git(
    ...["rev-parse", "--path-format=absolute", "--show-toplevel", "--is-shallow-repository"],
    ...["--git-path", "shallow"],
  );
  const [top, shallow, boundary] = where?.split("\n") ?? [];
  if (top === undefined || boundary === undefined) return undefined;
  const paths = ["--", ...files];
  const [head, remote, status, last, ref] = await Promise.all([
    git("rev-parse", "--verify", "HEAD^{commit}"),
    git("remote", "get-url", "origin"),
    git("status", "--porcelain", "--untracked-files=all", "--ignored", ...paths),
    git("log", "-1", "--format=%H", ...paths),
    git("symbolic-ref", "--quiet", "HEAD"),
  ]);
  return {
    top,
    url: remote === undefined ? undefined : publicRemote(remote),
    revision: commit(head),
    lastChange: await knownChange(commit(last), shallow === "true" ? boundary : undefined),
    ref,
    changed: status === undefined || status !== "",
  };
}

/** In a shallow clone the oldest commits seem to have made everything: nothing is known of what they changed. */
async function knownChange(
  last: string | undefined,
  boundary: string | undefined,
): Promise<string | undefined> {
  if (last === undefined || boundary === undefined) return last;
  const oldest = await readFile(boundary, "utf8").catch(() => "");
  return oldest.split("\n").includes(last) ? undefined : last;
}

function commit(text: string | undefined): string | undefined {
  return text !== undefined && /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(text) ? text : undefined;
}

/**
 * A remote as a web address, the same however it was cloned: without credentials, port of SSH and `.git`; undefined for
 * one on this machine.
 */
export function publicRemote(remote: string): string | undefined {
  const text = redactUrl(remote.trim());
  const scp = /^(?:[^@/\s]+@)?([A-Za-z0-9.-]+\.[A-Za-z]{2,}):(?!\/\/)\/?(\S+)$/.exec(text);
  const url =
    scp === null
      ? text.replace(/^(?:git\+)?ssh:\/\/([^/:]+)(?::\d+)?\//, "https://$1/")
      : `https://${scp[1]}/${scp[2]}`;
  if (!URL.canParse(url)) return undefined;
  const { protocol, host, hostname, pathname } = new URL(url);
  if (!["http:", "https:"].includes(protocol) || isLocal(hostname)) return undefined;
  return `${protocol}//${host}${pathname.replace(/\/+$/, "").replace(/\.git$/, "")}`;
}

/** True for names of this machine. */
export function isLocal(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname);
}
