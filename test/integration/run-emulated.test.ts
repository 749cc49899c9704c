import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findEmulator } from "../../src/run/emulator.ts";
import { binary, makeWorkplace, type Workplace } from "../support/cli.ts";
import { directory, file, writeTestLayout } from "../support/hostImage.ts";
import { runnerTrouble } from "../support/runner.ts";

/** A program for Linux on aarch64 that says so and ends with 7: no compiler for it has to be here. */
function aarch64Program(): Buffer {
  const text = Buffer.from("hello from aarch64\n");
  const code = [
    0xd2800020, // mov x0, #1
    0x100000e1, // adr x1, text
    0xd2800002 | (text.length << 5), // mov x2, #length
    0xd2800808, // mov x8, #64 (write)
    0xd4000001, // svc #0
    0xd28000e0, // mov x0, #7
    0xd2800ba8, // mov x8, #93 (exit)
    0xd4000001, // svc #0
  ];
  const start = 64 + 56;
  const bytes = Buffer.alloc(start + 4 * code.length + text.length);
  bytes.write("\x7fELF\x02\x01\x01", "latin1");
  const header = [
    [2, 16, 2],
    [2, 18, 183],
    [4, 20, 1],
    [8, 24, 0x40_0000 + start],
    [8, 32, 64],
    [2, 52, 64],
    [2, 54, 56],
    [2, 56, 1],
    // One piece that is loaded, to be read and executed.
    [4, 64, 1],
    [4, 68, 5],
    [8, 80, 0x40_0000],
    [8, 88, 0x40_0000],
    [8, 96, bytes.length],
    [8, 104, bytes.length],
    [8, 112, 0x1000],
  ] as const;
  for (const [size, at, value] of header) bytes.writeUIntLE(value, at, Math.min(size, 6));
  for (const [at, word] of code.entries()) bytes.writeUInt32LE(word >>> 0, start + 4 * at);
  text.copy(bytes, start + 4 * code.length);
  return bytes;
}

const qemu = "/usr/bin/qemu-aarch64-static";
/** Tells the kernel of the emulator, in a namespace of its own, and becomes the command. */
const register = `
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc || exit 90
printf '%s' ':spk:M::\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:${qemu}:'"$1" >/proc/sys/fs/binfmt_misc/register || exit 91
shift
exec "$@"
`;
const namespace = ["-U", "-r", "-m", "sh", "-c", register, "sh"];

function emulatorTrouble(): string | undefined {
  if (process.arch !== "x64") return "this machine is not amd64";
  if (!existsSync(qemu)) return "qemu-user-static is not installed";
  return spawnSync("unshare", [...namespace, "F", "true"]).status === 0
    ? undefined
    : "the kernel has no binfmt_misc in namespaces (Linux 6.7)";
}

const trouble = runnerTrouble();
const lacking = emulatorTrouble();

describe.skipIf(trouble !== undefined)("an image for another processor", () => {
  let work: Workplace;
  beforeAll(async () => {
    work = makeWorkplace("spacktainers: 1\n");
    const layers = [[directory("bin"), file("bin/hello", aarch64Program(), 0o755)]];
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

  it.skipIf(lacking !== undefined).each([
    { how: "that the kernel holds open", flags: "F" },
    { how: "that has to be in the container", flags: "" },
  ])(`runs in an emulator $how${lacking === undefined ? "" : ` (skipped: ${lacking})`}`, ({ flags }) => {
    const command = [...namespace, flags, process.execPath, binary, ...words];
    const ran = spawnSync("unshare", command, {
      cwd: work.directory,
      env: { ...process.env, XDG_CACHE_HOME: join(work.directory, "cache") },
      encoding: "utf8",
    });
    expect(ran.stdout, ran.stderr).toBe("hello from aarch64\n");
    expect(ran.status).toBe(7);
  });
});
