import { describe, expect, it } from "vitest";
import { contentOf } from "../../src/archive/content.ts";
import type { Entry, EntryStream } from "../../src/archive/entry.ts";
import { readTar } from "../../src/archive/readTar.ts";
import { writeTar } from "../../src/archive/writeTar.ts";
import { collectInventory } from "../../src/base/collectInventory.ts";
import { FileTree } from "../../src/view/fileTree.ts";

const count = 60_000;

/** Empty files: their number alone decides how long they take. */
async function* emptyFiles(): EntryStream {
  const base = { uid: 0, gid: 0, mtime: 0 } as const;
  yield { type: "directory", path: "many", mode: 0o755, ...base };
  for (let index = 0; index < count; index++)
    yield {
      type: "file",
      path: `many/${index % 50}-${index}`,
      mode: 0o644,
      ...base,
      size: 0,
      content: contentOf(new Uint8Array()),
    } satisfies Entry;
}

describe("an archive of very many files", () => {
  // Work that grows with the square of the number would take minutes: this takes a second.
  it("is written, read, listed and looked into in time that grows with their number", {
    timeout: 60_000,
  }, async () => {
    const tar = writeTar(emptyFiles(), { trailer: true });
    const { entries, inventory } = collectInventory(readTar(tar, { where: { file: "many.tar" } }));
    let read = 0;
    for await (const _ of entries) read++;
    expect(read).toBe(count + 1);
    const tree = new FileTree([inventory()]);
    expect(tree.children("many")).toHaveLength(count);
    for (let index = 0; index < count; index++)
      if (!tree.exists(`/many/${index % 50}-${index}`)) throw new Error(`${index} is missing`);
  });
});
