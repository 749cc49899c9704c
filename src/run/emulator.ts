/** Programs for another processor: whether the kernel hands them to an emulator (binfmt_misc), and how to get one. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { machinePlatform } from "./machinePlatform.ts";

/** Where the kernel shows what it hands to whom. */
const registrations = "/proc/sys/fs/binfmt_misc";

/** Numbers in the headers of programs, and what qemu calls the processor, by what images call it. */
const processors: Readonly<Record<string, { readonly machine: number; readonly qemu: string }>> = {
  amd64: { machine: 62, qemu: "x86_64" },
  arm64: { machine: 183, qemu: "aarch64" },
};

/** A program by which the kernel starts those for another processor. */
export interface Emulator {
  readonly path: string;
  /** The kernel holds it open: it need not be in the container. */
  readonly isFixed: boolean;
}

/** How programs of an image run on this machine. */
export type Execution =
  | { readonly kind: "native" }
  | { readonly kind: "emulated"; readonly emulator: Emulator }
  | { readonly kind: "impossible"; readonly hint: string };

/**
 * How this machine runs programs for an architecture: everything that starts programs of an image asks here.
 *
 * @param architecture as images call it
 * @param folder for tests
 */
export async function executionOf(architecture: string, folder?: string): Promise<Execution> {
  if (architecture === machinePlatform().architecture) return { kind: "native" };
  const emulator = await findEmulator(architecture, folder);
  return emulator === undefined
    ? { kind: "impossible", hint: await emulatorHint(architecture) }
    : { kind: "emulated", emulator };
}

/**
 * The emulator for an architecture, by what the kernel says it would do with a program for it.
 *
 * @param architecture as images call it
 * @param folder for tests
 * @returns undefined where there is none
 */
export async function findEmulator(
  architecture: string,
  folder: string = registrations,
): Promise<Emulator | undefined> {
  const processor = processors[architecture];
  if (processor === undefined) return undefined;
  const header = programHeader(processor.machine);
  for (const name of (await readdir(folder).catch(() => [])).sort()) {
    if (name === "register" || name === "status") continue;
    const text = await readFile(join(folder, name), "latin1").catch(() => "");
    const value = (key: string): string => new RegExp(`^${key}:? (.*)$`, "m").exec(text)?.[1]?.trim() ?? "";
    const path = value("interpreter");
    if (
      !/^enabled\b/.test(text) ||
      path === "" ||
      !matches(header, value("magic"), value("mask"), value("offset"))
    )
      continue;
    return { path, isFixed: value("flags").includes("F") };
  }
  return undefined;
}

/** The beginning of a program for Linux: 64 bits, little-endian, of a fixed place in memory. */
function programHeader(machine: number): Buffer {
  const header = Buffer.alloc(64);
  header.write("\x7fELF\x02\x01\x01", "latin1");
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(machine, 18);
  header.writeUInt32LE(1, 20);
  return header;
}

function matches(header: Buffer, magic: string, mask: string, offset: string): boolean {
  const wanted = Buffer.from(magic, "hex");
  const bits = mask === "" ? Buffer.alloc(wanted.length, 0xff) : Buffer.from(mask, "hex");
  const start = Number(offset) || 0;
  return (
    wanted.length > 0 &&
    wanted.every((byte, at) => ((byte ^ (header[start + at] ?? 0)) & (bits[at] ?? 0xff)) === 0)
  );
}

/** What to install, by how distributions call it. */
export async function emulatorHint(architecture: string): Promise<string> {
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  const family = /^ID(?:_LIKE)?=.*$/gm;
  const names = [...release.matchAll(family)].join(" ");
  const packages = /\b(?:debian|ubuntu)\b/.test(names)
    ? "the packages qemu-user-static and binfmt-support (apt)"
    : /\b(?:fedora|rhel|centos)\b/.test(names)
      ? `the package qemu-user-static-${processors[architecture]?.qemu ?? architecture} (dnf)`
      : /\bsuse\b/.test(names)
        ? "the package qemu-linux-user (zypper)"
        : /\barch\b/.test(names)
          ? "the packages qemu-user-static and qemu-user-static-binfmt (pacman)"
          : "qemu-user-static with its binfmt entries";
  return `install ${packages}, by which the kernel runs programs for ${architecture} in an emulator; or use a machine for ${architecture}`;
}
