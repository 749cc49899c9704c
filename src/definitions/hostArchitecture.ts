import type { Architecture } from "./configuration.ts";

/** The architecture of this machine; amd64 if it is not one that we know. */
export function hostArchitecture(): Architecture {
  return process.arch === "arm64" ? "arm64" : "amd64";
}
