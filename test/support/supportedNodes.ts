import { existsSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";

const folder = resolve(import.meta.dirname, "../../.scratch/supported-node");

/** A Node.js that the program has to work with. */
export interface SupportedNode {
  /** As `scripts/install-components.sh` asks for it: `20.19.0`, `latest`. */
  readonly version: string;
  /** Path of its program; undefined where it was not fetched. */
  readonly program: string | undefined;
}

/** The oldest of each line that is supported, and the newest. */
export const supportedNodes: readonly SupportedNode[] = ["20.19.0", "22.12.0", "latest"].map((version) => {
  const program = join(folder, version, "bin/node");
  return { version, program: existsSync(program) ? realpathSync(program) : undefined };
});
