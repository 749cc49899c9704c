import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { OciLayer } from "../../src/image/layer.ts";
import { writeDockerArchive, writeOciArchive } from "../../src/image/writeArchives.ts";
import { writeOciLayout } from "../../src/image/writeOciLayout.ts";
import { writeRootfs } from "../../src/image/writeRootfs.ts";
import { directory, file } from "../archive/streams.ts";
import { image, layer } from "../image/fixtures.ts";
import { builtModules } from "../support/builtProject.ts";

const isBuilt = existsSync(join(builtModules, "image/writeRootfs.js"));
const note = isBuilt ? "" : " (skipped: run npm run build first)";

let scratch: string;
let layers: OciLayer[];
beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), "spacktainers-interrupted-"));
  mkdirSync(join(scratch, "out"));
  const many = Array.from({ length: 300 }, (_, index) => file(`d/f${index}`, randomBytes(100_000)));
  layers = [
    await layer(scratch, "base", [directory("d"), ...many]),
    await layer(scratch, "top", [file("x", "1")]),
  ];
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

/** Writes the image of {@link layers} in a process of its own. */
function start(call: string, options: { readonly uid?: number } = {}): ChildProcess {
  const script = `
    const { assembleImage } = await import(${JSON.stringify(join(builtModules, "image/assembleImage.js"))});
    const archives = await import(${JSON.stringify(join(builtModules, "image/writeArchives.js"))});
    const { writeOciLayout } = await import(${JSON.stringify(join(builtModules, "image/writeOciLayout.js"))});
    const { writeRootfs } = await import(${JSON.stringify(join(builtModules, "image/writeRootfs.js"))});
    const { fileLayer } = await import(${JSON.stringify(join(builtModules, "image/fileLayer.js"))});
    const layers = ${JSON.stringify(layers)}.map((layer) => fileLayer(layer, layer.extent));
    const image = assembleImage({ architecture: "amd64", layers, created: 0, env: new Map() });
    const target = ${JSON.stringify(join(scratch, "out/target"))};
    const state = ${JSON.stringify(join(scratch, "out/state"))};
    process.stdout.write("go");
    await ${call};
  `;
  return spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: "/",
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
}

const target = (): string => join(scratch, "out/target");
const visible = (): string[] => readdirSync(join(scratch, "out")).filter((name) => !name.startsWith("."));
const hidden = (): string[] => readdirSync(join(scratch, "out")).filter((name) => name.startsWith(".tmp-"));

describe.skipIf(!isBuilt)(`a process that is killed${note}`, () => {
  const outputs: [string, string, () => Promise<void>][] = [
    [
      "an OCI archive",
      "archives.writeOciArchive(target, [image])",
      () => writeOciArchive(target(), [image(layers)]),
    ],
    [
      "a Docker archive",
      "archives.writeDockerArchive(target, image)",
      () => writeDockerArchive(target(), image(layers)),
    ],
    [
      "a root file system",
      "writeRootfs(target, layers, { stateDirectory: state })",
      () => writeRootfs(target(), layers, { stateDirectory: join(scratch, "state") }),
    ],
    ["an OCI layout", "writeOciLayout(target, [image])", () => writeOciLayout(target(), [image(layers)])],
  ];

  it.each(outputs)(
    "while writing %s leaves it whole or absent, and the next run works and cleans up",
    async (_, call, again) => {
      let killed = 0;
      // On a busy machine it may be over before the signal comes: then once more.
      const delays = [0, 3, 10, 30];
      for (let round = 0; round < delays.length || (killed === 0 && round < 50); round++) {
        const delay = delays[round] ?? 0;
        const child = start(call);
        if (child.stdout !== null) await once(child.stdout, "data");
        const gone = once(child, "exit");
        await new Promise((done) => setTimeout(done, delay));
        child.kill("SIGKILL");
        const [code] = await gone;
        if (code === 0) {
          rmSync(target(), { recursive: true, force: true });
          continue;
        }
        killed++;
        // Killed between the last rename and its end it may have finished; then what is there is whole.
        if (visible().includes("target")) rmSync(target(), { recursive: true });
        expect(visible().filter((name) => name !== "state")).toEqual([]);
        await again();
        expect(visible()).toContain("target");
        expect(hidden()).toEqual([]);
        rmSync(target(), { recursive: true });
      }
      expect(killed).toBeGreaterThan(0);
    },
  );
});

const isRoot = process.geteuid?.() === 0;

describe.skipIf(!isBuilt || !isRoot)(
  `an ordinary user${note}${isRoot ? "" : " (skipped: the tests do not run as root)"}`,
  () => {
    it("unpacks layers with directories that are closed to their owner, and replaces them", async () => {
      const user = 65_534;
      chmodSync(scratch, 0o755);
      chmodSync(join(scratch, "out"), 0o777);
      layers = [
        await layer(scratch, "closed", [
          directory("ro", 0o555),
          directory("ro/deep", 0o500),
          file("ro/deep/f", "1"),
          file("su", "x", { mode: 0o4755 }),
        ]),
        await layer(scratch, "above", [file("ro/deep/g", "2"), file("ro/deep/.wh.f", "")].reverse()),
      ];
      const run = "writeRootfs(target, layers, { stateDirectory: state })";
      for (let round = 0; round < 2; round++) {
        const [code] = await once(start(run, { uid: user }), "exit");
        expect(code).toBe(0);
      }
      const facts = statSync(join(target(), "ro/deep/g"));
      expect([facts.uid, readdirSync(join(target(), "ro/deep"))]).toEqual([user, ["g"]]);
      // A set-user-ID file would lend the rights of whoever unpacked it.
      expect(statSync(join(target(), "su")).mode & 0o7777).toBe(0o755);
      expect(hidden()).toEqual([]);
    });
  },
);
