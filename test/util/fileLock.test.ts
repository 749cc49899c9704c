import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readlinkSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LockHolder, withFileLock } from "../../src/util/fileLock.ts";
import { hostTag, startOfProcess } from "../../src/util/processes.ts";

let folder: string;
let lock: string;
let other: ChildProcess;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-lock-"));
  lock = join(folder, "deep/lock");
  other = spawn("sleep", ["100"], { stdio: "ignore" });
});
afterEach(() => {
  other.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

const namespace = readlinkSync("/proc/self/ns/pid");
/** A lock's file, as the process wrote it. */
async function holdAs(host: string, pid: number, start = startOfProcess(pid)): Promise<void> {
  await withFileLock(lock, async () => {});
  writeFileSync(lock, `${host} ${pid} .tmp-x ${namespace} ${start}`);
}

describe("withFileLock", () => {
  it("lets one in at a time, and leaves nothing", async () => {
    let [inside, most] = [0, 0];
    const one = () =>
      withFileLock(lock, async () => {
        most = Math.max(most, ++inside);
        await sleep(2);
        inside--;
      });
    await Promise.all(Array.from({ length: 8 }, one));
    expect([most, inside]).toEqual([1, 0]);
    expect(readdirSync(join(folder, "deep"))).toEqual([]);
  });

  it("gives back the result, or the failure, of what is done", async () => {
    expect(await withFileLock(lock, async () => 7)).toBe(7);
    await expect(withFileLock(lock, async () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(readdirSync(join(folder, "deep"))).toEqual([]);
  });

  it("waits as long as the holder lives, says for whom, and goes on at once when it is gone", async () => {
    const pid = other.pid ?? 0;
    await holdAs(hostTag, pid);
    const holders: (LockHolder | undefined)[] = [];
    const done = withFileLock(lock, async () => "done", { waiting: (holder) => holders.push(holder) });
    await sleep(1_500);
    expect(holders).toEqual([{ host: hostTag, pid }]);
    other.kill("SIGKILL");
    expect(await done).toBe("done");
  });

  it("knows a number that has come back, and a process that nobody has noticed the end of", async () => {
    await holdAs(hostTag, other.pid ?? 0, "1");
    expect(await withFileLock(lock, async () => 1, { patience: 0 })).toBe(1);
    // A shell that has become something else never asks what became of its children.
    const parent = spawn("sh", ["-c", "sleep 0.1 & echo $!; exec sleep 100"]);
    const pid = Number(
      await new Promise<string>((said) => parent.stdout.once("data", (text) => said(String(text)))),
    );
    await holdAs(hostTag, pid);
    expect(await withFileLock(lock, async () => 2, { patience: 10_000 })).toBe(2);
    parent.kill("SIGKILL");
  });

  it("stops when interrupted, or when patience ends", async () => {
    await holdAs(hostTag, other.pid ?? 0);
    expect(await withFileLock(lock, async () => 1, { patience: 60 })).toBeUndefined();
    const abort = new AbortController();
    const waiting = withFileLock(lock, async () => 1, { signal: abort.signal });
    setTimeout(() => abort.abort(), 30);
    await expect(waiting).rejects.toMatchObject({ code: "INTERRUPTED" });
    expect(readdirSync(join(folder, "deep"))).toEqual(["lock"]);
  });

  it("takes a process of another machine for dead when it shows no life", async () => {
    await holdAs("another-machine", 1);
    const beats = setInterval(() => utimesSync(lock, new Date(), new Date()), 20);
    expect(await withFileLock(lock, async () => 1, { silence: 400, patience: 900 })).toBeUndefined();
    clearInterval(beats);
    expect(await withFileLock(lock, async () => 2, { silence: 400 })).toBe(2);
  });

  it("does not ask about the process of another container with the same name", async () => {
    const dead = spawnSync("true").pid;
    await withFileLock(lock, async () => {});
    writeFileSync(lock, `${hostTag} ${dead} .tmp-x pid:[1] 5`);
    expect(await withFileLock(lock, async () => 1, { patience: 100 })).toBeUndefined();
  });
});
