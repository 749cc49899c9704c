/** Programs for another processor: those of an image, and those that an epilogue runs. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeTar } from "../../src/archive/writeTar.ts";
import { findEmulator } from "../../src/run/emulator.ts";
import { binary, makeWorkplace, type Workplace } from "../support/cli.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { aarch64Program, emulatorTrouble, withEmulator } from "../support/emulation.ts";
import { directory, file, writeTestLayout } from "../support/hostImage.ts";
import { runnerTrouble } from "../support/runner.ts";

const trouble = runnerTrouble();
const lacking = emulatorTrouble();
const skipped = lacking === undefined ? "" : ` (skipped: ${lacking})`;
const emulators = [
  { how: "that the kernel holds open", flags: "F" },
  { how: "that has to be in the container", flags: "" },
] as const;

/** Runs `spacktainers` where the kernel has an emulator. */
function runEmulated(work: Workplace, flags: "F" | "", words: readonly string[]) {
  const [program = "", ...args] = withEmulator(flags);
  return spawnSync(program, [...args, process.execPath, binary, ...words], {
    cwd: work.directory,
    env: { ...process.env, XDG_CACHE_HOME: join(work.directory, `cache-home-${flags}`) },
    encoding: "utf8",
  });
}

describe.skipIf(trouble !== undefined)("an image for another processor", () => {
  let work: Workplace;
  beforeAll(async () => {
    work = makeWorkplace("spacktainers: 1\n");
    const program = aarch64Program({ says: "hello from aarch64\n", status: 7 });
    const layers = [[directory("bin"), file("bin/hello", program, 0o755)]];
    await writeTestLayout(work.path("image"), {
      layers,
      config: { Env: ["PATH=/bin"], Cmd: ["hello"] },
      architecture: "arm64",
    });
  });
  afterAll(() => work.remove());

  const words = ["run", "--quiet", "--arch", "arm64", "--with", "namespace", "image"];

  it("is refused where there is no emulator, with what to install", async () => {
    if (process.arch === "arm64" || (await findEmulator("arm64")) !== undefined) return;
    const refused = await work.run(words);
    expect(refused.stderr).toMatch(
      /NOT_SUPPORTED {2}the image is for arm64, and this machine is amd64 without/,
    );
    expect(refused.stderr).toMatch(/hint: install .*qemu/);
    expect(refused.stdout).toBe("");
  });

  it.skipIf(lacking !== undefined).each(emulators)(`runs in an emulator $how${skipped}`, ({ flags }) => {
    const ran = runEmulated(work, flags, words);
    expect(ran.stdout, ran.stderr).toBe("hello from aarch64\n");
    expect(ran.status).toBe(7);
  });
});

describe.skipIf(trouble !== undefined)("an epilogue for another processor", () => {
  let work: Workplace;
  const folder = "container_definitions/arm64/other";
  beforeAll(async () => {
    work = makeWorkplace();
    makeDemoRepository(work);
    const configuration = work.path("spacktainers.yaml");
    writeFileSync(
      configuration,
      `${readFileSync(configuration, "utf8").replace("{scratch: true}", "{rootfs: base.tar}")}epilogue: {runner: sandbox}\n`,
    );
    const program = aarch64Program({ makes: "/made", says: "made\n", status: 0 });
    const entries = [
      ...["bin", "dev", "proc", "sys", "tmp"].map((name) => directory(name)),
      file("bin/make", program, 0o755),
    ];
    const chunks: Uint8Array[] = [];
    for await (const chunk of writeTar(
      (async function* all() {
        yield* entries;
      })(),
      { trailer: true },
    ))
      chunks.push(chunk);
    writeFileSync(work.path("base.tar"), Buffer.concat(chunks));
    mkdirSync(work.path(folder), { recursive: true });
    writeFileSync(work.path(folder, "spack.yaml"), "spack:\n  specs: [gcc-runtime]\n");
    writeFileSync(work.path(folder, "Dockerfile.epilogue"), 'RUN ["/bin/make"]\n');
  });
  afterAll(() => work.remove());

  it("is refused where there is no emulator, with what to install", async () => {
    if (process.arch === "arm64" || (await findEmulator("arm64")) !== undefined) return;
    const refused = await work.run(["build", "other"]);
    expect(refused.stderr).toMatch(/RUNTIME_MISSING {2}.*cannot run programs for arm64/);
    expect(refused.stderr).toMatch(/hint: install .*qemu/);
  });

  it.skipIf(lacking !== undefined).each(emulators)(
    `is carried out by an emulator $how${skipped}`,
    ({ flags }) => {
      const root = `root-${flags}`;
      const built = runEmulated(work, flags, ["build", "other", "--output", `rootfs:${root}`]);
      expect(built.status, built.stdout + built.stderr).toBe(0);
      expect(readdirSync(work.path(root))).toContain("made");
      // The emulator itself stays out of the image.
      expect(
        readdirSync(work.path(root), { recursive: true }).filter((path) => /qemu/.test(String(path))),
      ).toEqual([]);
      expect(readdirSync(work.path(root))).not.toContain("usr");
    },
  );
});
