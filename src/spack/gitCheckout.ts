/** Files of a git repository at one commit, fetched without its history and kept. */
import { mkdir, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { type GitSource, isRemoteAddress } from "../definitions/spackConfiguration.ts";
import { sweepTemporaries, temporaryPath, writeFileAtomically } from "../util/atomicFile.ts";
import { digestOf, hexOfDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { type EmitEvent, runTask } from "../util/events.ts";
import { hostPath } from "../util/hostPath.ts";
import { stopIfAborted } from "../util/interruption.ts";
import { redactUrl } from "../util/redact.ts";
import { removeIfPossible } from "../util/removeIfPossible.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { findProgram, lastLine, runTool, type ToolResult } from "../util/tool.ts";

/** Files of a source, on this machine. */
export interface Checkout {
  /** Absolute. */
  readonly folder: string;
  /** Address without credentials, or path. */
  readonly url: string;
  /** 40 hexadecimal digits; undefined for a folder that is used as it is and that git does not know. */
  readonly commit: string | undefined;
  /** True for a folder that is used as it is and whose files are not those of the commit. */
  readonly modified: boolean;
}

/** How sources are fetched. */
export interface CheckoutOptions {
  /** Where checkouts are kept. */
  readonly directory: string;
  readonly emit: EmitEvent;
  readonly signal?: AbortSignal | undefined;
  /** The name of a branch or tag stands for what it stood for when it was last asked, where that is known. */
  readonly remembered?: boolean;
}

const wholeCommit = /^[0-9a-f]{40}$/;

/**
 * The files of a source at its commit: fetched once, by the commit's number, and then used without asking anybody. A branch or
 * tag is looked up each time; where it cannot be, what it stood for the last time is used, with a warning. Of a folder without
 * `ref` and `commit` the files are used as they are.
 *
 * @param what the source is, for people: `Spack`, `recipes`
 * @throws SpacktainersError RUNTIME_MISSING without git; CONFIG_INVALID for a folder, ref or commit that is not there;
 *   NETWORK; INTERRUPTED
 */
export async function openCheckout(
  source: GitSource,
  what: string,
  options: CheckoutOptions,
): Promise<Checkout> {
  const git = await findProgram("git");
  if (git === undefined)
    throw new SpacktainersError("RUNTIME_MISSING", `git, which fetches ${what}, is not installed`, {
      hint: "apt-get install git",
    });
  const run = (args: readonly string[]): Promise<ToolResult> =>
    runTool([git, ...gitSettings, ...args], {
      env: gitEnvironment(),
      signal: options.signal,
    });
  if (source.ref === undefined && source.commit === undefined) return folderAsItIs(source, what, run);
  const named = source.commit ?? source.ref ?? "";
  const commit = wholeCommit.test(named) ? named : await commitOf(source, named, { what, run, options });
  const folder = join(options.directory, commit);
  if (!(await isThere(folder)))
    await runTask(
      options.emit,
      {
        kind: "download",
        label: `${what} ${source.ref ?? commit.slice(0, 12)}`,
        subject: folder,
        signal: options.signal,
      },
      () => fetchCommit(source, commit, { folder, run, options }),
    );
  return { folder, url: redactUrl(source.url), commit, modified: false };
}

type Git = (args: readonly string[]) => Promise<ToolResult>;

/** Nothing that is fetched may run anything, and nothing may ask for a password. */
const gitSettings = [
  "-c",
  "core.hooksPath=/dev/null",
  "-c",
  "init.templateDir=",
  "-c",
  "advice.detachedHead=false",
];

function gitEnvironment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    ...hostEnvironment(),
    PATH: hostPath(),
    LC_ALL: "C",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ALLOW_PROTOCOL: "file:git:http:https:ssh",
  };
  // We may have been started by git ourselves (from a hook): its repository is not the one meant.
  for (const name of Object.keys(env))
    if (/^GIT_(?:DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|NAMESPACE)$/.test(name)) delete env[name];
  return env;
}

async function folderAsItIs(source: GitSource, what: string, run: Git): Promise<Checkout> {
  const folder = source.url.startsWith("file:") ? new URL(source.url).pathname : source.url;
  if (isRemoteAddress(source.url))
    throw new SpacktainersError(
      "CONFIG_INVALID",
      `nothing says which commit of ${redactUrl(source.url)} to use`,
      {
        place: source.place,
        hint: "add `ref:` with a branch or tag, or `commit:`",
      },
    );
  if (!(await isThere(folder)))
    throw new SpacktainersError("CONFIG_INVALID", `${what}: there is no folder ${folder}`, {
      place: source.place,
    });
  const head = await run(["-C", folder, "rev-parse", "HEAD"]);
  if (head.status !== 0) return { folder, url: folder, commit: undefined, modified: false };
  const changes = await run(["-C", folder, "status", "--porcelain", "--", "."]);
  return {
    folder,
    url: folder,
    commit: head.stdout.trim(),
    modified: changes.status !== 0 || changes.stdout.trim() !== "",
  };
}

/** How git is asked. */
interface GitQuestion {
  readonly what: string;
  readonly run: Git;
  readonly options: CheckoutOptions;
}

/** The commit that a branch or tag stands for. */
async function commitOf(
  source: GitSource,
  ref: string,
  { what, run, options }: GitQuestion,
): Promise<string> {
  const memory = join(
    options.directory,
    `ref-${hexOfDigest(digestOf(`${source.url}\n${ref}`)).slice(0, 32)}`,
  );
  const known = await readFile(memory, "utf8").then(
    (text) => (wholeCommit.test(text) ? text : undefined),
    () => undefined,
  );
  if (options.remembered === true && known !== undefined) return known;
  const answer = await run([
    "ls-remote",
    "--",
    source.url,
    `refs/heads/${ref}`,
    `refs/tags/${ref}`,
    `refs/tags/${ref}^{}`,
  ]);
  stopIfAborted(options.signal);
  if (answer.status !== 0) {
    const failure = fetchFailure(source, answer);
    if (known === undefined) throw failure;
    options.emit({
      type: "warning",
      code: failure.code,
      message: `could not ask what \`${ref}\` of ${what} is today; the commit of last time, ${known.slice(0, 12)}, is used: ${failure.message}`,
      place: source.place,
    });
    return known;
  }
  const lines = answer.stdout.split("\n").map((line) => line.split("\t"));
  const find = (name: string): string | undefined => lines.find(([, each]) => each === name)?.[0];
  // A tag's own number is not that of the commit it is put on.
  const commit = find(`refs/tags/${ref}^{}`) ?? find(`refs/tags/${ref}`) ?? find(`refs/heads/${ref}`);
  if (commit === undefined || !wholeCommit.test(commit))
    throw new SpacktainersError(
      "CONFIG_INVALID",
      `${redactUrl(source.url)} has no branch or tag \`${ref}\``,
      {
        place: source.place,
        hint: /^[0-9a-f]{6,39}$/.test(ref)
          ? "write a commit with all of its 40 digits"
          : "see: git ls-remote",
      },
    );
  await writeFileAtomically(memory, commit);
  return commit;
}

/** Where a commit goes. */
interface GitFetch {
  readonly folder: string;
  readonly run: Git;
  readonly options: CheckoutOptions;
}

async function fetchCommit(
  source: GitSource,
  commit: string,
  { folder, run, options }: GitFetch,
): Promise<void> {
  await mkdir(options.directory, { recursive: true });
  await sweepTemporaries(options.directory);
  const unfinished = temporaryPath(options.directory);
  const inside = (...args: readonly string[]): Promise<ToolResult> => run(["-C", unfinished, ...args]);
  try {
    const made = await run(["init", "--quiet", unfinished]);
    if (made.status !== 0) throw fetchFailure(source, made);
    let fetched = await inside("fetch", "--quiet", "--depth=1", "--no-tags", "--", source.url, commit);
    // Servers need not hand out a commit by its number: then by what it is called, and last with everything.
    if (fetched.status !== 0 && source.ref !== undefined && !wholeCommit.test(source.ref))
      fetched = await inside("fetch", "--quiet", "--depth=1", "--no-tags", "--", source.url, source.ref);
    let checkedOut = await inside("checkout", "--quiet", "--detach", commit);
    if (checkedOut.status !== 0 && mayHaveMore(fetched)) {
      fetched = await inside(
        "fetch",
        "--quiet",
        "--",
        source.url,
        "+refs/heads/*:refs/remotes/origin/*",
        "+refs/tags/*:refs/tags/*",
      );
      checkedOut = await inside("checkout", "--quiet", "--detach", commit);
    }
    stopIfAborted(options.signal);
    if (fetched.status !== 0) throw fetchFailure(source, fetched, commit);
    if (checkedOut.status !== 0)
      throw new SpacktainersError("CONFIG_INVALID", `${redactUrl(source.url)} has no commit ${commit}`, {
        place: source.place,
        hint: lastLine(checkedOut.stderr),
      });
    await rename(unfinished, folder).catch(async (error: NodeJS.ErrnoException) => {
      // Another run was quicker.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await removeIfPossible(unfinished);
  }
}

/** Whether a failure to fetch one commit may be over when everything is fetched. */
function mayHaveMore({ status, stderr }: ToolResult): boolean {
  return (
    status === 0 ||
    /not our ref|unadvertised object|couldn't find remote ref|does not allow request/i.test(stderr)
  );
}

function fetchFailure(source: GitSource, { stderr }: ToolResult, commit?: string): SpacktainersError {
  const url = redactUrl(source.url);
  const said = lastLine(stderr.replaceAll(source.url, url).replace(/\n?Please make sure[\s\S]*$/, ""));
  if (/dubious ownership/.test(stderr))
    return new SpacktainersError("ACCESS_DENIED", `git does not trust ${url}, which is another user's`, {
      place: source.place,
      hint: `if you do: git config --global --add safe.directory ${source.url.replace(/^file:\/\//, "")}`,
    });
  if (commit !== undefined && /not our ref|unadvertised object|couldn't find remote ref/i.test(stderr))
    return new SpacktainersError("CONFIG_INVALID", `${url} has no commit ${commit}`, { place: source.place });
  if (/does not exist|does not appear to be a git repository|not found/i.test(stderr))
    return new SpacktainersError("CONFIG_INVALID", `there is no git repository ${url}: ${said}`, {
      place: source.place,
    });
  if (/could not read (?:Username|Password)|Authentication failed|Permission denied/i.test(stderr))
    return new SpacktainersError("ACCESS_DENIED", `${url}: ${said}`, {
      place: source.place,
      hint: "git takes credentials from its credential helpers, or a key from ssh-agent",
    });
  return new SpacktainersError("NETWORK", `${url} could not be fetched: ${said}`, { place: source.place });
}

async function isThere(folder: string): Promise<boolean> {
  return stat(folder).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
}
