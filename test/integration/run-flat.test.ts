import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLayout } from "../../src/image/openLayout.ts";
import { containerProcess } from "../../src/run/containerProcess.ts";
import { runInNamespace } from "../../src/run/namespaceRunner.ts";
import { file, hostArchitecture, hostPrograms, writeTestLayout } from "../support/hostImage.ts";
import { runnerTrouble, scratch } from "../support/runner.ts";

const trouble = runnerTrouble();

describe.skipIf(trouble !== undefined)(
  `our own runner where directories cannot be stacked${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    const place = scratch();
    const out = join(place.path, "out");
    let layout: string;

    beforeAll(async () => {
      mkdirSync(out);
      const layers = [
        [...hostPrograms(["bash", "sh", "cat", "touch", "ls"]), file("gone", ""), file("changed", "1")],
        [file(".wh.gone", ""), file("changed", "2")],
      ];
      layout = await writeTestLayout(join(place.path, "image"), {
        layers,
        config: { Env: ["PATH=/usr/bin"] },
      });
    });
    afterAll(() => place.dispose());

    async function runFlat(script: string, abilities: { overlay: boolean; processNumbers: boolean }) {
      const image = await openLayout(layout, {
        platforms: [{ os: "linux", architecture: hostArchitecture }],
        reference: undefined,
      });
      const config = (await image.config()).value;
      const bind = { source: out, target: "/new/place", readOnly: false };
      const options = { command: ["sh", "-c", script], binds: [bind], tty: false };
      const context = { directory: join(place.path, "rootfs"), emit: () => {} };
      return runInNamespace(image, await containerProcess(config, options), context, abilities);
    }

    it.each([true, false])(
      "gives the whole image, read-only (own process numbers: %s)",
      async (processNumbers) => {
        const script = `cd /new/place; { ls /gone; cat /changed /etc/hostname; touch /x; touch /tmp/x && echo tmp; } > log 2>&1; exit 7`;
        expect(await runFlat(script, { overlay: false, processNumbers })).toBe(7);
        const log = readFileSync(join(out, "log"), "utf8");
        expect(log).toMatch(/\/gone.*\n2/);
        expect(log).toMatch(/\/x.*Read-only file system\ntmp\n$/);
      },
    );

    it("shares the files of the image with other runs, and keeps them as they are", async () => {
      await runFlat("exit 0", { overlay: false, processNumbers: true });
      const roots = readdirSync(join(place.path, "rootfs")).filter((name) => /^[cm][0-9a-f]{32}$/.test(name));
      expect(roots.length).toBe(2);
      const inodes = roots.map((name) => statSync(join(place.path, "rootfs", name, "fs/usr/bin/bash")).ino);
      expect(inodes[0]).toBe(inodes[1]);
    });
  },
);
