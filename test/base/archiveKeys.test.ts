import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { archiveKeys } from "../../src/base/debian/archiveKeys.ts";
import type { Distribution } from "../../src/base/types.ts";
import { systemClock } from "../../src/util/clock.ts";
import type { WorkEvent } from "../../src/util/events.ts";
import { makeKey, type TestKey } from "../support/signingKey.ts";

const folder = mkdtempSync(join(tmpdir(), "spacktainers-keys-"));
afterAll(() => rmSync(folder, { recursive: true }));

let key: TestKey;
let events: WorkEvent[];
beforeAll(async () => {
  key = await makeKey();
});
beforeEach(() => {
  events = [];
});

const open = (distribution: Distribution, machine: string, keyring?: readonly string[]) =>
  archiveKeys(
    { distribution, ...(keyring === undefined ? {} : { keyring }) },
    systemClock,
    (event) => events.push(event),
    () => join(folder, machine),
  );

function put(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

test("those shipped can be read", async () => {
  expect(await (await open("debian", "none").open()).fingerprints()).toHaveLength(9);
  expect(await (await open("ubuntu", "none").open()).fingerprints()).toHaveLength(2);
  expect(events).toEqual([]);
});

test("those of the machine count as well, and change what is remembered", async () => {
  put("machine.gpg", key.privateKey.toPublic().write());
  const keys = open("debian", "machine.gpg");
  expect(await (await keys.open()).fingerprints()).toContain(key.fingerprint);
  expect(await keys.id()).not.toBe(await open("debian", "none").id());
  expect(await keys.id()).toBe((await keys.open()).id);
});

test("a key ring of the machine that cannot be read is left out with a warning", async () => {
  put("garbage.gpg", "junk");
  expect(await (await open("debian", "garbage.gpg").open()).fingerprints()).toHaveLength(9);
  expect(events).toMatchObject([
    { type: "warning", code: "KEY_INVALID", place: { file: join(folder, "garbage.gpg") } },
  ]);
});

test("with a key ring of its own, a base trusts nothing else, and it must be readable", async () => {
  put("machine.gpg", key.privateKey.toPublic().write());
  const own = put("own.asc", key.armored);
  expect(await (await open("debian", "machine.gpg", [own]).open()).fingerprints()).toEqual([key.fingerprint]);
  for (const bad of [put("junk.asc", "junk"), put("empty.asc", "")])
    await expect(open("debian", "none", [own, bad]).open()).rejects.toMatchObject({
      code: "KEY_INVALID",
      place: { file: bad },
    });
  await expect(open("debian", "none", [join(folder, "missing")]).open()).rejects.toMatchObject({
    code: "KEY_INVALID",
    place: { file: join(folder, "missing") },
  });
  expect(events).toEqual([]);
});
