/** What git knows of a repository's earlier state. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { SpacktainersError } from "../../util/errors.ts";
import { hostPath } from "../../util/hostPath.ts";
import { readBounded } from "../../util/readBounded.ts";
import { hostEnvironment } from "../../util/surroundings.ts";
import { findProgram, lastLine, runTool, type ToolOptions } from "../../util/tool.ts";

/** Longest list of files that is read, in bytes. */
const longestList = 64 * 2 ** 20;

/** A folder in a git repository. */
export interface GitFolder {
  /** Absolute path of the repository's files. */
  readonly top: string;
  /** Of the folder below it, with a slash behind; empty for the repository itself. */
  readonly prefix: string;
}

/**
 * The git repository that a folder is in.
 *
 * @throws SpacktainersError RUNTIME_MISSING without git; NOT_FOUND outside of a repository
 */
export async function openGitFolder(folder: string, signal: AbortSignal): Promise<GitFolder> {
  if ((await findProgram("git")) === undefined)
    throw new SpacktainersError("RUNTIME_MISSING", "git is not installed");
  const { status, stdout } = await git(folder, ["rev-parse", "--show-toplevel", "--show-prefix"], { signal });
  const [top = "", prefix = ""] = stdout.split("\n");
  if (status !== 0 || top === "")
    throw new SpacktainersError("NOT_FOUND", "this is not in a git repository", {
      place: { file: folder },
      hint: "without git there is no record of changes; without --changed-since, the plan has all containers",
    });
  return { top, prefix };
}

/**
 * The commit that a branch was made from: that of a reference, or the last one that it and the present one have in common.
 *
 * @returns undefined for the commit of zeros, by which GitHub says that there was none before
 * @throws SpacktainersError NOT_FOUND
 */
export async function earlierCommit(
  { top }: GitFolder,
  reference: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (/^0{40,}$/.test(reference)) return undefined;
  const found = await git(
    top,
    ["rev-parse", "--verify", "--quiet", "--end-of-options", `${reference}^{commit}`],
    {
      signal,
    },
  );
  const commit = found.stdout.trim();
  if (found.status !== 0 || commit === "")
    throw new SpacktainersError("NOT_FOUND", `this clone has no commit \`${reference}\``, {
      place: { file: top },
      hint: "fetch it: in GitHub Actions `fetch-depth: 0` of actions/checkout, in GitLab `GIT_DEPTH: 0`",
    });
  const base = await git(top, ["merge-base", commit, "HEAD"], { signal });
  return base.status === 0 ? base.stdout.trim() : commit;
}

/**
 * The files that differ between a commit and what is in the working tree, whether committed or not.
 *
 * @param work a folder for what git writes
 * @returns relative to the repository
 */
export async function filesChangedSince(
  { top }: GitFolder,
  commit: string,
  work: string,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const list = join(work, "changed");
  await expectGit(
    top,
    ["diff", "--no-ext-diff", "--no-renames", "--name-only", "-z", `--output=${list}`, commit, "--"],
    {
      signal,
    },
  );
  const changed = await readBounded(list, longestList);
  const others = await expectGit(top, ["ls-files", "-z", "--others", "--exclude-standard"], { signal });
  // More than a tool's output is kept of: files that nobody has added to git are not what decides then.
  if (changed === undefined || others.length >= 2 ** 20)
    throw new SpacktainersError("NOT_SUPPORTED", "too many files have changed to be compared", {
      place: { file: top },
    });
  return new Set(
    [...changed.toString("utf8").split("\0"), ...others.split("\0")].filter((path) => path !== ""),
  );
}

/**
 * Writes the files of a commit into a folder.
 *
 * @param into a folder that is there; what is not needed otherwise is written there as well
 * @returns the folder of the files
 */
export async function checkOutCommit(
  { top }: GitFolder,
  commit: string,
  into: string,
  signal: AbortSignal,
): Promise<string> {
  const tree = join(into, "tree");
  await mkdir(tree, { recursive: true });
  const env = { ...hostEnvironment(), GIT_INDEX_FILE: join(into, "index") };
  await expectGit(top, ["read-tree", commit], { signal, env });
  await expectGit(top, ["checkout-index", "--all", "--quiet", `--prefix=${tree}/`], { signal, env });
  return tree;
}

async function expectGit(folder: string, args: readonly string[], options: ToolOptions): Promise<string> {
  const { status, stdout, stderr } = await git(folder, args, options);
  if (status === 0) return stdout;
  if (options.signal?.aborted === true) throw new SpacktainersError("INTERRUPTED", "interrupted");
  throw new SpacktainersError("PROCESS_FAILED", `git ${args[0]} failed: ${lastLine(stderr)}`, {
    place: { file: folder },
  });
}

function git(folder: string, args: readonly string[], options: ToolOptions) {
  // What the user's own configuration says of output is not for programs.
  const env = {
    ...hostEnvironment(),
    PATH: hostPath(),
    GIT_OPTIONAL_LOCKS: "0",
    LC_ALL: "C",
    ...options.env,
  };
  return runTool(["git", "-C", folder, "-c", "core.quotePath=false", ...args], { ...options, env });
}
