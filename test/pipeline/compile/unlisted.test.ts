import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openUnlisted } from "../../../src/pipeline/compile/unlisted.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "spacktainers-unlisted-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

it("remembers packages of a cache until they are listed", async () => {
  const here = openUnlisted("s3://one", home);
  const other = openUnlisted("s3://two", home);
  await here.add({ specFile: "{a}" }, "/store/a");
  await here.add({ specFile: "{b}" }, "/store/b");
  await here.add({ specFile: "{a}" }, "/store/a");
  expect(await other.all()).toEqual([]);
  // A run that follows finds them.
  const found = await openUnlisted("s3://one", home).all();
  expect(found.map(({ specFile, folder }) => [specFile, folder]).sort()).toEqual([
    ["{a}", "/store/a"],
    ["{b}", "/store/b"],
  ]);
  await here.done(found);
  expect(await here.all()).toEqual([]);
});

it("ignores what is damaged", async () => {
  const here = openUnlisted("s3://one", home);
  const record = await here.add({ specFile: "{a}" }, "/store/a");
  writeFileSync(record, "{");
  writeFileSync(join(dirname(record), `${"0".repeat(32)}.json`), '{"specFile":1}');
  expect(readdirSync(dirname(record))).toHaveLength(2);
  expect(await here.all()).toEqual([]);
});
