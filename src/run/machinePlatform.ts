import { arch } from "node:os";
import type { Platform } from "../archive/oci/types.ts";

/** This machine, in the words of image configurations. */
export function machinePlatform(): Platform {
  const names: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };
  return { os: "linux", architecture: names[arch()] ?? arch() };
}
