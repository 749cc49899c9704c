import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { hostTag } from "../../src/util/processes.ts";
import { withTargetLock } from "../../src/util/targetLock.ts";

let scratch: string;
let target: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "spacktainers-lock-"));
  target = join(scratch, "out/target");
});
afterEach(() => rmSync(scratch, { recursive: true }));

it("lets one after the other in, and leaves nothing", async () => {
  let inside = 0;
  let most = 0;
  const order: number[] = [];
  const one = (index: number) =>
    withTargetLock(target, async () => {
      most = Math.max(most, ++inside);
      await new Promise((done) => setTimeout(done, 5));
      inside--;
      order.push(index);
    });
  await Promise.all([1, 2, 3, 4, 5].map(one));
  expect([most, order.length]).toEqual([1, 5]);
  expect(readdirSync(join(scratch, "out"))).toEqual([]);
});

it("is given back when the action fails", async () => {
  await expect(withTargetLock(target, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await withTargetLock(target, () => Promise.resolve(1))).toBe(1);
});

it("takes over from a process that is gone, waits for one that is there or elsewhere", async () => {
  const lock = join(scratch, "out/.target.lock");
  await withTargetLock(target, () => Promise.resolve());
  const dead = spawnSync("true").pid;
  for (const holder of [`${hostTag} ${dead} x`, "", `${hostTag} nonsense`]) {
    writeFileSync(lock, holder);
    expect(await withTargetLock(target, () => Promise.resolve(2), 0)).toBe(2);
  }
  for (const holder of [`${hostTag} 1 x`, "another-machine 5 x"]) {
    writeFileSync(lock, holder);
    await expect(withTargetLock(target, () => Promise.resolve(3), 100)).rejects.toMatchObject({
      code: "LOCK_BUSY",
    });
  }
  rmSync(lock);
});

it("is taken over by one alone when many find it left behind", async () => {
  const lock = join(scratch, "out/.target.lock");
  await withTargetLock(target, () => Promise.resolve());
  const dead = spawnSync("true").pid;
  for (let round = 0; round < 4; round++) {
    writeFileSync(lock, `${hostTag} ${dead} x`);
    let inside = 0;
    const one = () =>
      withTargetLock(target, async () => {
        expect(++inside).toBe(1);
        await new Promise((done) => setTimeout(done, 1));
        inside--;
      });
    await Promise.all(Array.from({ length: 4 }, one));
    expect(readdirSync(join(scratch, "out"))).toEqual([]);
  }
});

it("takes over from another machine when its lock is much older than clocks differ", async () => {
  const lock = join(scratch, "out/.target.lock");
  await withTargetLock(target, () => Promise.resolve());
  for (const [age, taken] of [
    [30, false],
    [1000, true],
  ] as const) {
    writeFileSync(lock, "another-machine 5 x");
    const then = Date.now() / 1000 - age;
    utimesSync(lock, then, then);
    const attempt = withTargetLock(target, () => Promise.resolve(4), 100);
    if (taken) expect(await attempt).toBe(4);
    else await expect(attempt).rejects.toMatchObject({ code: "LOCK_BUSY" });
  }
  expect(readdirSync(join(scratch, "out"))).toEqual([]);
});
