import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";

/**
 * Removes a folder with all that is in it. What is still mounted below it, as container engines leave their stores and the root
 * directories of containers that were killed, is unmounted first.
 */
export function removeFolder(folder: string): void {
  for (const mounted of mountsBelow(folder).reverse())
    spawnSync("umount", ["-l", mounted], { stdio: "ignore" });
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    // What belongs to an ordinary user's subordinate users can only be removed as root of their namespace.
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    spawnSync("unshare", ["--user", "--map-root-user", "--map-auto", "rm", "-rf", folder], {
      stdio: "ignore",
    });
    rmSync(folder, { recursive: true, force: true });
  }
}

/** In the order in which they were mounted. */
function mountsBelow(folder: string): string[] {
  if (!existsSync("/proc/self/mounts")) return [];
  const unescaped = (path: string): string =>
    path.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
  return readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => unescaped(line.split(" ")[1] ?? ""))
    .filter((path) => path.startsWith(`${folder}/`));
}
