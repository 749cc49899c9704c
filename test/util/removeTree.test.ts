import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { removeTree } from "../../src/util/removeTree.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-tree-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

it("removes directories nobody may write to, names that are not UTF-8, and follows no link", async () => {
  const outside = join(folder, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "kept"), "");
  const tree = join(folder, "tree");
  mkdirSync(join(tree, "a/b"), { recursive: true });
  const odd = Buffer.concat([Buffer.from(`${tree}/a/`), Buffer.of(0xff, 0x80)]);
  mkdirSync(odd);
  writeFileSync(Buffer.concat([odd, Buffer.from("/f")]), "");
  symlinkSync(outside, join(tree, "a/link"));
  for (const locked of [odd, join(tree, "a/b"), join(tree, "a")]) chmodSync(locked, 0o555);
  await removeTree(tree);
  expect(existsSync(tree)).toBe(false);
  expect(existsSync(join(outside, "kept"))).toBe(true);
  await removeTree(tree);
});
