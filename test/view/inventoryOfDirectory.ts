/** The inventory of a directory on disk, for comparing with tools that look at real files. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { Inventory, InventoryEntry } from "../../src/archive/inventory.ts";
import { readElfInfo } from "../../src/elf/readElf.ts";

/**
 * @param root directory that stands for the image's root
 * @param folders paths below it to read, with everything in them; default all
 * @param recursive whether to go below the folders
 */
export function inventoryOfDirectory(
  root: string,
  folders: readonly string[] = [""],
  recursive = true,
): Inventory {
  const entries: InventoryEntry[] = [];
  const inodes = new Map<string, string>();
  const visit = (path: string, below: boolean): void => {
    const full = join(root, path);
    const info = lstatSync(full, { throwIfNoEntry: false });
    if (info === undefined) return;
    const mode = info.mode & 0o7777;
    if (info.isDirectory()) {
      if (path !== "") entries.push({ path, type: "directory", mode, size: 0 });
      if (below)
        for (const name of readdirSync(full).sort()) visit(path === "" ? name : `${path}/${name}`, recursive);
    } else if (info.isSymbolicLink()) {
      entries.push({ path, type: "symlink", mode: 0o777, size: 0, target: readlinkSync(full) });
    } else if (info.isFile()) {
      const inode = `${info.dev}:${info.ino}`;
      const target = inodes.get(inode);
      if (target !== undefined) {
        entries.push({ path, type: "hardlink", mode, size: 0, target });
        return;
      }
      inodes.set(inode, path);
      const content = readFileSync(full);
      const elf = readElfInfo(content);
      const script = (mode & 0o111) !== 0 && content.subarray(0, 2).toString() === "#!";
      entries.push({
        path,
        type: "file",
        mode,
        size: info.size,
        ...(elf === undefined ? {} : { elf }),
        ...(script ? { shebang: content.toString("latin1").split("\n", 1)[0]?.slice(2) ?? "" } : {}),
      });
    }
  };
  for (const folder of folders) visit(folder, true);
  return { entries };
}

/** Every path that is a link, and is followed on the way from a path to the file that it means; that file last. */
export function everyStep(path: string): readonly string[] {
  const steps: string[] = [];
  let at = "/";
  const rest = path.split("/");
  while (rest.length > 0) {
    const next = join(at, rest.shift() ?? "");
    const target = lstatSync(next, { throwIfNoEntry: false })?.isSymbolicLink()
      ? readlinkSync(next)
      : undefined;
    if (target === undefined) {
      at = next;
      continue;
    }
    steps.push(next);
    // Longer ones than the system follows (path_resolution(7)).
    if (steps.length > 40) return steps;
    if (target.startsWith("/")) at = "/";
    rest.unshift(...target.split("/"));
  }
  return [...steps, at];
}
