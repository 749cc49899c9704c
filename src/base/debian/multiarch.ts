import type { BaseArchitecture } from "../types.ts";

/** Debian's names of the folders for libraries of an architecture. */
export const multiarchOf: Readonly<Record<BaseArchitecture, string>> = {
  amd64: "x86_64-linux-gnu",
  arm64: "aarch64-linux-gnu",
};
