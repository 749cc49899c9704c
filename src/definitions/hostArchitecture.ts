import type { Architecture } from "./configuration.ts";

/** The architecture of this machine; amd64 when it is none that we know. */
export function hostArchitecture(): Architecture {
  return process.arch === "arm64" ? "arm64" : "amd64";
}
