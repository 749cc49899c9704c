import { readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";

/** Makes all files below a directory look as if they had been used so many seconds earlier than they were. */
export function ageFiles(directory: string, seconds: number): void {
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const time = statSync(path).mtimeMs / 1000 - seconds;
    utimesSync(path, time, time);
  }
}
