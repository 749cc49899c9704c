/** Short notation for inventories in tests. */
import type { Inventory, InventoryEntry } from "../../src/archive/inventory.ts";
import type { ElfInfo } from "../../src/elf/elfInfo.ts";
import type { ConcreteSpec } from "../../src/spec/concrete.ts";
import type { ViewPackage } from "../../src/view/types.ts";

/**
 * Paths to what is there: `"/"` a directory, `"-> text"` a link, `"= path"` a hard link, text starting with `#!` a
 * script, other text a plain file, facts an ELF file.
 */
export type Files = Readonly<Record<string, string | ElfInfo>>;

function entryOf(path: string, what: string | ElfInfo): InventoryEntry {
  if (typeof what !== "string") return { path, type: "file", mode: 0o755, size: 1, elf: what };
  if (what === "/") return { path, type: "directory", mode: 0o755, size: 0 };
  if (what.startsWith("-> ")) return { path, type: "symlink", mode: 0o777, size: 0, target: what.slice(3) };
  if (what.startsWith("= ")) return { path, type: "hardlink", mode: 0o755, size: 0, target: what.slice(2) };
  const script = what.startsWith("#!");
  return {
    path,
    type: "file",
    mode: script ? 0o755 : 0o644,
    size: what.length,
    text: what,
    ...(script ? { shebang: what.split("\n", 1)[0]?.slice(2) ?? "" } : {}),
  };
}

/** An inventory, sorted by path; directories need not be listed. */
export function inventory(files: Files, prefix = ""): Inventory {
  return {
    entries: Object.entries(files)
      .map(([path, what]) => entryOf(prefix === "" ? path : `${prefix}/${path}`, what))
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

/** A package at `/sw/<name>`, or elsewhere. */
export function viewPackage(spec: ConcreteSpec, files: Files, prefix = `/sw/${spec.name}`): ViewPackage {
  return { spec, prefix, inventory: inventory({ "": "/", ...files }, prefix.slice(1)) };
}

/** Facts of a 64-bit x86 library, or of a program when there is an interpreter. */
export function elf(facts: Partial<ElfInfo> = {}): ElfInfo {
  return {
    bits: 64,
    endian: "little",
    machine: 62,
    type: "dynamic",
    needed: [],
    rpath: [],
    runpath: [],
    versionsNeeded: {},
    versionsDefined: [],
    ...facts,
  };
}
