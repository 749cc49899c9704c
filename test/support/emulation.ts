/** Programs for another processor, and a kernel that knows an emulator for them, in a namespace of the test's own. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** What a program for another processor does. */
export interface Aarch64Deeds {
  /** A directory that it makes, first; absolute. */
  readonly makes?: string;
  readonly says: string;
  readonly status: number;
}

/** A program for Linux on aarch64, without any library: no compiler for it has to be here. */
export function aarch64Program({ makes, says, status }: Aarch64Deeds): Buffer {
  const made = makes === undefined ? undefined : Buffer.from(`${makes}\0`);
  const said = Buffer.from(says);
  // Number of a register, and what it is set to: a number, or the place of a text behind the program.
  type Setting = readonly [register: number, value: number | Buffer];
  const call = (number: number, ...settings: readonly Setting[]): readonly (Setting | "call")[] => [
    ...settings,
    [8, number],
    "call",
  ];
  const steps = [
    // mkdirat(AT_FDCWD, …, 0755), write(1, …), exit(…)
    ...(made === undefined ? [] : call(34, [0, -100], [1, made], [2, 0o755])),
    ...call(64, [0, 1], [1, said], [2, said.length]),
    ...call(93, [0, status]),
  ];
  const texts: readonly Uint8Array[] = [...(made === undefined ? [] : [made]), said];
  const placeOf = (text: Uint8Array): number =>
    4 * steps.length + texts.slice(0, texts.indexOf(text)).reduce((sum, { length }) => sum + length, 0);
  const code = steps.map((step, index) => {
    if (step === "call") return 0xd4000001;
    const [register, value] = step;
    if (typeof value === "number")
      return value < 0 ? 0x92800000 | (~value << 5) | register : 0xd2800000 | (value << 5) | register;
    const distance = placeOf(value) - 4 * index;
    return 0x10000000 | ((distance & 3) << 29) | ((distance >> 2) << 5) | register;
  });
  const start = 64 + 56;
  const bytes = Buffer.alloc(start + 4 * code.length);
  for (const [at, word] of code.entries()) bytes.writeUInt32LE(word >>> 0, start + 4 * at);
  const all = Buffer.concat([bytes, ...texts]);
  all.write("\x7fELF\x02\x01\x01", "latin1");
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
    [8, 96, all.length],
    [8, 104, all.length],
    [8, 112, 0x1000],
  ] as const;
  for (const [size, at, value] of header) all.writeUIntLE(value, at, Math.min(size, 6));
  return all;
}

const qemu = "/usr/bin/qemu-aarch64-static";
/** Makes the kernel know the emulator, in a namespace of its own, and becomes the command. */
const register = `
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc || exit 90
printf '%s' ':spk:M::\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:${qemu}:'"$1" >/proc/sys/fs/binfmt_misc/register || exit 91
shift
exec "$@"
`;

/** What has to come before a command so that the kernel has an emulator for it. `F`: held open by the kernel. */
export function withEmulator(flags: "F" | ""): readonly string[] {
  return ["unshare", "-U", "-r", "-m", "sh", "-c", register, "sh", flags];
}

/** Why there cannot be an emulator for aarch64 here, or undefined. */
export function emulatorTrouble(): string | undefined {
  if (process.arch !== "x64") return "this machine is not amd64";
  if (!existsSync(qemu)) return "qemu-user-static is not installed";
  const [program = "", ...args] = withEmulator("F");
  return spawnSync(program, [...args, "true"]).status === 0
    ? undefined
    : "the kernel has no binfmt_misc in namespaces (Linux 6.7)";
}
