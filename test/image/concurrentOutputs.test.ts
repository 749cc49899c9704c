import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";

import { writeOciLayout } from "../../src/image/writeOciLayout.ts";
import { writeRootfs } from "../../src/image/writeRootfs.ts";
import { file } from "../archive/streams.ts";
import { readWholeLayout } from "../support/readWholeImage.ts";
import { image, layer } from "./fixtures.ts";

let scratch: string;
let target: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "spacktainers-outputs-"));
  target = join(scratch, "out/target");
});
afterEach(() => rmSync(scratch, { recursive: true }));

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
