import { existsSync, readdirSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";

const folder = resolve(import.meta.dirname, "../../.scratch/node");

/** A Node.js that is too old for the program. */
export interface OldNode {
  readonly version: string;
  /** Path of its program, without links: as it knows itself. */
  readonly program: string;
}

/** The old Nodes that `scripts/install-components.sh` fetched, oldest first; none where it did not. */
export function oldNodes(): readonly OldNode[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .map((version) => ({ version, program: join(folder, version, "bin/node") }))
    .filter(({ program }) => existsSync(program))
    .map(({ version, program }) => ({ version, program: realpathSync(program) }));
}
