/** Inventories from outside: what a registry keeps of the layers in it. */
import * as z from "zod";
import type { ElfInfo } from "../elf/elfInfo.ts";
import { withoutUndefined } from "../util/withoutUndefined.ts";
import type { Inventory, InventoryEntry } from "./inventory.ts";

/** Longest path of a file; Linux takes no longer one. */
const longestPath = 4096;

/** A path as inventories have it: relative, without empty, `.` or `..` components. */
const path = z
  .string()
  .min(1)
  .max(longestPath)
  .refine(
    (text) =>
      !text.includes("\0") && text.split("/").every((part) => part !== "" && part !== "." && part !== ".."),
    "must be a plain path relative to the root",
  );
const text = z.string().max(longestPath);
const words = z.array(text).max(65_536);
const size = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

const elf = z.strictObject({
  bits: z.union([z.literal(32), z.literal(64)]),
  endian: z.enum(["little", "big"]),
  machine: z.int().min(0).max(0xffff),
  type: z.enum(["executable", "dynamic", "relocatable", "core", "other"]),
  interpreter: text.optional(),
  soname: text.optional(),
  needed: words,
  rpath: words,
  runpath: words,
  noDefaultLibraries: z.boolean().optional(),
  versionsNeeded: z.record(text, words),
  versionsDefined: words,
});

const entry = z.strictObject({
  path,
  type: z.enum(["directory", "file", "symlink", "hardlink"]),
  mode: z.int().min(0).max(0o7777),
  size,
  target: text.optional(),
  elf: elf.optional(),
  shebang: text.optional(),
  // The status of dpkg is the largest text that is kept.
  text: z
    .string()
    .max(16 * 2 ** 20)
    .optional(),
});

const recipe = z.strictObject({
  name: z.string().min(1).max(200),
  own: z.boolean(),
  text: z.string().max(2 ** 20),
});

/** Form of an {@link Inventory} in JSON that was not written here. */
export const inventorySchema: z.ZodType<Inventory> = z
  .strictObject({ entries: z.array(entry).max(5_000_000), recipes: z.array(recipe).max(100).optional() })
  .transform(
    ({ entries, recipes }): Inventory => ({
      ...(recipes === undefined ? {} : { recipes }),
      entries: entries.map(({ elf, ...rest }): InventoryEntry => {
        return {
          ...withoutUndefined(rest),
          ...(elf === undefined ? {} : { elf: withoutUndefined(elf) as ElfInfo }),
        };
      }),
    }),
  );
