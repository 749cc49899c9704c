import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type CommandResult, makeWorkplace, type Workplace } from "../support/cli.ts";
import { debrisIn, digestOfBuild, jsonLines } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { type FaultServer, serveDirectory, stallAfter, startFaultServer } from "../support/faultServer.ts";
import { snapshot } from "../support/fileSnapshot.ts";

const build = ["build", "hello-mpi", "--json", "--output", "oci:image", "--output", "rootfs:plain"];

let server: FaultServer;
let reference: Workplace;
let digest: string;
let earlier: string;
let plain: readonly string[];
/** Paths on the server. */
let indexPath: string;
let archivePath: string;
const places: Workplace[] = [];

beforeAll(async () => {
  server = await startFaultServer();
  reference = makeWorkplace();
  places.push(reference);
  const cache = makeDemoRepository(reference, server.url);
  await serveDirectory(server, cache.directory);
  indexPath = cache.index().slice(cache.directory.length);
  archivePath = cache.archive("mpich").slice(cache.directory.length);
  digest = digestOfBuild(await reference.run(build));
  plain = snapshot(reference.path("plain"));
  earlier = digestOfBuild(
    await reference.run(["build", "hello-mpi", "--no-strip", "--output", "oci:earlier", "--json"]),
  );
});
afterAll(async () => {
  await server.close();
  for (const place of places) place.remove();
});
beforeEach(() => server.faults.clear());

/** A repository with an image of an earlier run, but nothing in its cache home. */
function prepare(): Workplace {
  const work = makeWorkplace();
  places.push(work);
  makeDemoRepository(work, server.url);
  cpSync(reference.path("earlier"), work.path("image"), { recursive: true });
  return work;
}

/** The outputs are those of one run or of the other, whole. */
function expectWholeOutputs(work: Workplace): void {
  const index = JSON.parse(readFileSync(work.path("image/index.json"), "utf8"));
  expect([earlier, digest]).toContain(index.manifests[0].digest);
  const blobs = work.path("image/blobs/sha256");
  const manifest = JSON.parse(readFileSync(join(blobs, index.manifests[0].digest.slice(7)), "utf8"));
  for (const { digest: blob } of [manifest.config, ...manifest.layers]) {
    const bytes = readFileSync(join(blobs, blob.slice(7)));
    expect(`sha256:${createHash("sha256").update(bytes).digest("hex")}`).toBe(blob);
  }
  if (existsSync(work.path("plain"))) expect(snapshot(work.path("plain"))).toEqual(plain);
}

async function expectNextRunWorks(work: Workplace): Promise<void> {
  server.faults.clear();
  expect(digestOfBuild(await work.run(build))).toBe(digest);
  expect(snapshot(work.path("plain"))).toEqual(plain);
  expect(debrisIn(work.directory)).toEqual([]);
}

/** Runs a build and sends it a signal once its output has a text in it. */
async function signalAt(
  work: Workplace,
  text: string,
  signal: NodeJS.Signals,
  args: readonly string[] = build,
): Promise<CommandResult & { readonly signal: NodeJS.Signals | null }> {
  const child = work.start(args);
  let stdout = "";
  let stderr = "";
  let sent = false;
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout += chunk.toString("utf8");
    if (!sent && stdout.includes(text)) {
      sent = true;
      child.kill(signal);
    }
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString("utf8");
  });
  const [status, by] = await new Promise<[number | null, NodeJS.Signals | null]>((done) =>
    child.on("close", (...end) => done(end)),
  );
  expect(sent, `never said ${text}: ${stdout}${stderr}`).toBe(true);
  return { status, signal: by, stdout, stderr };
}

/** What was begun has ended, whether it was done or not. */
function expectTasksEnd(result: { readonly stdout: string }): void {
  const running = new Set<unknown>();
  for (const { type, id } of jsonLines(result)) {
    if (type === "task-start") running.add(id);
    if (type === "task-end") running.delete(id);
  }
  expect([...running]).toEqual([]);
}

/** Moments of a build: what it says then, and what the server must do so that it stays there. */
const moments: readonly { readonly name: string; readonly says: string; readonly stall?: () => void }[] = [
  { name: "as it begins", says: '"stage"' },
  {
    name: "in the middle of the index",
    says: '"task-progress","id":"index:',
    stall: () => server.faults.set(indexPath, [stallAfter(1000)]),
  },
  {
    name: "in the middle of a download",
    says: '"task-progress","id":"download:e445vrqkp6xympwm6ldw2fyf67auho7u"',
    stall: () => server.faults.set(archivePath, [stallAfter(1_000_000)]),
  },
  { name: "while it installs", says: '"task-start","id":"install:e445vrq' },
  { name: "while it merges", says: '"stage":"assemble-image"' },
  { name: "while it writes", says: '"stage":"write-image"' },
  { name: "while it writes files", says: '"label":"rootfs:' },
];

describe("a build that is killed", () => {
  it.each(moments)("leaves nothing half-written when that is $name", async ({ says, stall }) => {
    const work = prepare();
    stall?.();
    const { signal, status } = await signalAt(work, says, "SIGKILL");
    // On a busy machine it may be over before the signal comes.
    if (signal !== "SIGKILL") expect(status).toBe(0);
    expectWholeOutputs(work);
    await expectNextRunWorks(work);
  });

  it("can be killed again and again", async () => {
    const work = prepare();
    for (let delay = 200; delay <= 1600; delay += 200) {
      const child = work.start(build);
      const ended = new Promise((done) => child.on("close", done));
      child.stdout?.resume();
      await sleep(delay);
      child.kill("SIGKILL");
      await ended;
      expectWholeOutputs(work);
    }
    await expectNextRunWorks(work);
  });

  it("goes on with a download where it was", async () => {
    const work = prepare();
    server.faults.set(archivePath, [stallAfter(1_000_000)]);
    const says = '"task-progress","id":"download:e445vrqkp6xympwm6ldw2fyf67auho7u"';
    await signalAt(work, says, "SIGKILL");
    const before = server.requests.length;
    await expectNextRunWorks(work);
    const ranges = server.requests
      .slice(before)
      .filter(({ path }) => path === archivePath)
      .map(({ headers }) => headers.range);
    expect(ranges.some((range) => /^bytes=[1-9]\d+-$/.test(range ?? ""))).toBe(true);
  });
});

describe("a build that is interrupted by Ctrl-C", () => {
  it.each(moments)("ends in order when that is $name", async ({ says, stall }) => {
    const work = prepare();
    stall?.();
    const result = await signalAt(work, says, "SIGINT");
    const last = jsonLines(result).at(-1);
    if (result.status === 0) {
      // It was over before the signal came.
      expect(last).toMatchObject({ type: "result", digest });
    } else {
      expect(result).toMatchObject({ status: 130, stderr: "" });
      expect(last).toMatchObject({ type: "error", errors: [{ code: "INTERRUPTED" }] });
      expectTasksEnd(result);
    }
    expectWholeOutputs(work);
    // What was downloaded so far is kept, nothing else.
    expect(debrisIn(work.directory).filter((path) => !path.endsWith(".partial"))).toEqual([]);
    await expectNextRunWorks(work);
  });

  it("says so in one line, with a hint, and ends at once", async () => {
    const work = prepare();
    server.faults.set(archivePath, [stallAfter(1_000_000)]);
    const child = work.start(["build", "hello-mpi", "--quiet"]);
    let stderr = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      stderr += chunk.toString("utf8");
    });
    const ended = new Promise((done) => child.on("close", done));
    while (!server.requests.some(({ path }) => path === archivePath)) await sleep(20);
    while (debrisIn(work.cacheHome).filter((path) => path.endsWith(".partial")).length === 0) await sleep(20);
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expect(stderr).toBe(
      "error  INTERRUPTED  interrupted\n  hint: finished work is kept; run the same command again to continue\n",
    );
    expect(readdirSync(work.directory)).not.toContain("dist");
  });
});

describe("unpacking that is stopped", () => {
  const unpack = ["unpack", "hello-mpi", "--into", "into", "--json"];
  const ring = '"task-start","id":"unpack:yv5ulaa';
  const mpich = '"task-start","id":"unpack:e445vrq';
  const merging = '"stage":"merge-view"';
  let whole: readonly string[];
  beforeAll(async () => {
    expect((await reference.run(unpack)).status).toBe(0);
    whole = snapshot(reference.path("into"));
  });

  it.each([
    ["SIGKILL", ring],
    ["SIGKILL", mpich],
    ["SIGKILL", merging],
    ["SIGINT", ring],
    ["SIGINT", mpich],
    ["SIGINT", merging],
  ] as const)("by %s at %s goes on by the next run", async (signal, says) => {
    const work = prepare();
    const result = await signalAt(work, says, signal, unpack);
    if (signal === "SIGINT" && result.status !== 0) {
      expectTasksEnd(result);
      expect(result).toMatchObject({ status: 130, stderr: "" });
      expect(debrisIn(work.directory).filter((path) => !path.endsWith(".partial"))).toEqual([]);
      expect(snapshot(work.path("into")).filter((line) => !whole.includes(line))).toEqual([]);
    }
    const again = await work.run(unpack);
    expect(again.status).toBe(0);
    expect(snapshot(work.path("into"))).toEqual(whole);
    expect(debrisIn(work.directory)).toEqual([]);
  });
});
