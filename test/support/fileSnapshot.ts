import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Every file and link below a directory with its mode and what it holds, sorted; nothing for a directory that is not there. */
export function snapshot(directory: string): readonly string[] {
  const lines: string[] = [];
  const walk = (path: string): void => {
    for (const name of readdirSync(join(directory, path)).sort()) {
      const below = `${path}/${name}`;
      const file = join(directory, below);
      const facts = lstatSync(file);
      if (facts.isDirectory()) walk(below);
      else {
        const content = facts.isSymbolicLink()
          ? readlinkSync(file)
          : createHash("sha256").update(readFileSync(file)).digest("hex");
        lines.push(`${below} ${(facts.mode & 0o7777).toString(8)} ${content}`);
      }
    }
  };
  if (existsSync(directory)) walk("");
  return lines;
}
