import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { withOutputLock } from "../../src/image/outputLock.ts";
import { writeOciLayout } from "../../src/image/writeOciLayout.ts";
import { writeRootfs } from "../../src/image/writeRootfs.ts";
import { hostTag } from "../../src/util/processes.ts";
import { file } from "../archive/streams.ts";
import { readWholeLayout } from "../support/readWholeImage.ts";
import { image, layer } from "./fixtures.ts";

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
    withOutputLock(target, async () => {
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
  await expect(withOutputLock(target, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await withOutputLock(target, () => Promise.resolve(1))).toBe(1);
});

it("takes over from a process that is gone, waits for one that is there or elsewhere", async () => {
  const lock = join(scratch, "out/.target.lock");
  await withOutputLock(target, () => Promise.resolve());
  const dead = spawnSync("true").pid;
  for (const holder of [`${hostTag} ${dead} x`, "", `${hostTag} nonsense`]) {
    writeFileSync(lock, holder);
    expect(await withOutputLock(target, () => Promise.resolve(2), 0)).toBe(2);
  }
  for (const holder of [`${hostTag} 1 x`, "another-machine 5 x"]) {
    writeFileSync(lock, holder);
    await expect(withOutputLock(target, () => Promise.resolve(3), 100)).rejects.toMatchObject({
      code: "LOCK_BUSY",
    });
  }
  rmSync(lock);
});

it("is taken over by one alone when many find it left behind", async () => {
  const lock = join(scratch, "out/.target.lock");
  await withOutputLock(target, () => Promise.resolve());
  const dead = spawnSync("true").pid;
  for (let round = 0; round < 4; round++) {
    writeFileSync(lock, `${hostTag} ${dead} x`);
    let inside = 0;
    const one = () =>
      withOutputLock(target, async () => {
        expect(++inside).toBe(1);
        await new Promise((done) => setTimeout(done, 1));
        inside--;
      });
    await Promise.all(Array.from({ length: 4 }, one));
    expect(readdirSync(join(scratch, "out"))).toEqual([]);
  }
});

it("keeps runs that write different images to one place from breaking each other's", async () => {
  const layers = await Promise.all(
    [..."abcdef"].map((name) => layer(scratch, name, [file(name, name.repeat(5000))])),
  );
  const images = layers.map((top) => image([...layers.slice(0, 1), top]));
  for (let round = 0; round < 3; round++) {
    await Promise.all(images.map((each) => writeOciLayout(target, [each])));
    const back = await readWholeLayout(target, { platform: { architecture: "amd64", os: "linux" } });
    expect(images.map((each) => each.manifest.descriptor.digest)).toContain(back.manifestDigest);
  }
  const root = join(scratch, "out/root");
  await Promise.all(
    layers.map((each) => writeRootfs(root, [each], { stateDirectory: join(scratch, "state") })),
  );
  expect(readdirSync(root).length).toBe(1);
  expect(readdirSync(join(scratch, "out")).sort()).toEqual(["root", "target"]);
});
