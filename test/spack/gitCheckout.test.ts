import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GitSource } from "../../src/definitions/spackConfiguration.ts";
import { type CheckoutOptions, openCheckout } from "../../src/spack/gitCheckout.ts";
import type { WorkEvent } from "../../src/util/events.ts";
import { commandExists } from "../support/commandExists.ts";

const hasGit = commandExists("git");
let folder: string;
let repository: string;
const commits: string[] = [];

function git(...args: readonly string[]): string {
  return execFileSync(
    "git",
    ["-C", repository, "-c", "user.name=A", "-c", "user.email=a@example.org", ...args],
    {
      encoding: "utf8",
      env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null" },
    },
  ).trim();
}

beforeAll(() => {
  if (!hasGit) return;
  folder = mkdtempSync(join(tmpdir(), "spacktainers-git-"));
  repository = join(folder, "upstream");
  mkdirSync(repository);
  git("init", "--quiet", "--initial-branch=main");
  for (const text of ["first", "second", "third"]) {
    writeFileSync(join(repository, "file"), text);
    git("add", "file");
    git("commit", "--quiet", "-m", text);
    commits.push(git("rev-parse", "HEAD"));
  }
  git("tag", "-a", "v2", "-m", "two", commits[1] ?? "");
});
afterAll(() => {
  if (hasGit) rmSync(folder, { recursive: true, force: true });
});

const place = { file: "spacktainers.yaml", line: 3 };
const source = (rest: Partial<GitSource>): GitSource => ({
  url: repository,
  ref: undefined,
  commit: undefined,
  place,
  ...rest,
});
let count = 0;
const options = (rest: Partial<CheckoutOptions> = {}) => {
  count++;
  const events: WorkEvent[] = [];
  return {
    directory: join(folder, `kept${count}`),
    emit: (event: WorkEvent) => void events.push(event),
    events,
    ...rest,
  };
};
const open = (rest: Partial<GitSource>, how: CheckoutOptions = options()) =>
  openCheckout(source(rest), "recipes", how);
const content = (checkout: { folder: string }) => readFileSync(join(checkout.folder, "file"), "utf8");

describe.skipIf(!hasGit)("openCheckout (needs git)", () => {
  it("fetches one commit, any, without history, once", async () => {
    const how = options();
    const checkout = await open({ commit: commits[1] ?? "" }, how);
    expect(content(checkout)).toBe("second");
    expect(checkout).toMatchObject({ url: repository, commit: commits[1], modified: false });
    expect(
      execFileSync("git", ["-C", checkout.folder, "rev-list", "--all", "--count"], {
        encoding: "utf8",
      }).trim(),
    ).toBe("1");
    const moved = `${repository}-away`;
    // Nobody is asked again.
    const offline = await openCheckout(source({ url: moved, commit: commits[1] ?? "" }), "recipes", how);
    expect(offline.folder).toBe(checkout.folder);
    expect(readdirSync(how.directory)).toEqual([commits[1]]);
  });

  it("follows branches and tags, also annotated ones", async () => {
    const how = options();
    expect(content(await open({ ref: "main" }, how))).toBe("third");
    const tagged = await open({ ref: "v2" }, how);
    expect([content(tagged), tagged.commit]).toEqual(["second", commits[1]]);
    expect(content(await open({ ref: commits[0] ?? "" }, how))).toBe("first");
  });

  it("uses what a branch was the last time when it cannot be asked, and says so", async () => {
    const how = options();
    const url = join(folder, "moving");
    execFileSync("git", ["clone", "--quiet", "--bare", repository, url]);
    await open({ url, ref: "main" }, how);
    rmSync(url, { recursive: true });
    expect(content(await open({ url, ref: "main" }, how))).toBe("third");
    expect(how.events.find(({ type }) => type === "warning")).toMatchObject({
      message: expect.stringContaining("the commit of last time"),
    });
    await expect(open({ url, ref: "v2" }, how)).rejects.toMatchObject({ code: "CONFIG_INVALID", place });
  });

  it("takes the files of a folder as they are, and knows whether they are those of a commit", async () => {
    const checkout = await open({});
    expect(checkout).toMatchObject({ folder: repository, commit: commits[2], modified: false });
    writeFileSync(join(repository, "new"), "");
    try {
      expect(await open({})).toMatchObject({ commit: commits[2], modified: true });
    } finally {
      rmSync(join(repository, "new"));
    }
    const plain = join(folder, "plain");
    mkdirSync(plain);
    expect(await open({ url: plain })).toMatchObject({ folder: plain, commit: undefined, modified: false });
    await expect(open({ url: join(folder, "none") })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      place,
    });
  });

  it("says what is wrong, with the place in the configuration, and leaves nothing behind", async () => {
    const how = options();
    const wrong = [
      { rest: { ref: "nothing" }, message: "has no branch or tag `nothing`" },
      { rest: { ref: "abcdef1" }, message: "has no branch or tag `abcdef1`" },
      { rest: { commit: "0123456789".repeat(4) }, message: `has no commit ${"0123456789".repeat(4)}` },
      { rest: { url: join(folder, "plain-nothing"), ref: "main" }, message: "there is no git repository" },
    ];
    for (const { rest, message } of wrong)
      await expect(open(rest, how)).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringContaining(message),
        place,
      });
    if (existsSync(how.directory)) expect(readdirSync(how.directory)).toEqual([]);
  });

  it("runs nothing of the repository's or the user's", async () => {
    const hooks = join(folder, "hooks");
    const witness = join(folder, "witness");
    mkdirSync(join(hooks, "hooks"), { recursive: true });
    writeFileSync(join(hooks, "hooks", "post-checkout"), `#!/bin/sh\ntouch ${witness}\n`, { mode: 0o755 });
    process.env.GIT_TEMPLATE_DIR = hooks;
    try {
      await open({ ref: "main" });
    } finally {
      delete process.env.GIT_TEMPLATE_DIR;
    }
    expect(existsSync(witness)).toBe(false);
  });

  it("stops when asked to", async () => {
    const abort = new AbortController();
    abort.abort();
    const how = options({ signal: abort.signal });
    await expect(open({ commit: commits[0] ?? "" }, how)).rejects.toMatchObject({ code: "INTERRUPTED" });
    if (existsSync(how.directory)) expect(readdirSync(how.directory)).toEqual([]);
  });
});
