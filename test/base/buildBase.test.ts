import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { baseRecord } from "../../src/base/baseRecord.ts";
import { planBase } from "../../src/base/buildBase.ts";
import type { BasesElsewhere, PlannedBase } from "../../src/base/types.ts";
import { openHttp } from "../../src/net/http.ts";
import type { WorkEvent } from "../../src/util/events.ts";
import { plainData } from "../support/plainData.ts";
import { makeSigningKey, startArchive, type TestArchive } from "./makeArchive.ts";
import { file } from "./makeDeb.ts";

let folder: string;
let archive: TestArchive;
let events: WorkEvent[] = [];
const http = openHttp({ retries: 0 });

beforeAll(async () => {
  const key = await makeSigningKey();
  folder = await mkdtemp(join(tmpdir(), "build-base-"));
  await writeFile(join(folder, "key.asc"), key.publicKey);
  archive = await startArchive(key);
  const postinst = "#!/bin/sh\nset -e\ngroupadd app\n";
  await archive.publish("bookworm", [{ name: "app", entries: [file("usr/bin/app", "app")], postinst }]);
});
afterAll(async () => {
  await http.close();
  await archive.close();
  await rm(folder, { recursive: true });
});

async function plan(cacheDir: string): Promise<PlannedBase> {
  events = [];
  return planBase(
    {
      kind: "debian",
      distribution: "debian",
      suite: "bookworm",
      packages: ["app"],
      mirrors: [archive.url],
      securityMirrors: [archive.url],
      keyring: [join(folder, "key.asc")],
    },
    { architecture: "amd64", cacheDir, emit: (event) => events.push(event), http },
  );
}

const emptyCache = (): Promise<string> => mkdtemp(join(folder, "cache-"));
const timesMade = (): number =>
  events.filter((event) => event.type === "task-start" && event.kind === "base").length;

test("a base that is found knows what maintainer scripts would have done; records for registries do not say it", async () => {
  const cache = await emptyCache();
  const made = await (await plan(cache)).build();
  expect(timesMade()).toBe(1);
  expect(made.undone).toContain("app (groupadd)");
  const found = await (await plan(cache)).build();
  expect(timesMade()).toBe(0);
  expect(found.undone).toBe(made.undone);
  expect(baseRecord(found)).toEqual(baseRecord(made));
  expect(baseRecord(found)).not.toHaveProperty("undone");
});

test("a base that is asked for again before it is finished is made once", async () => {
  const planned = await plan(await emptyCache());
  const [one, other] = await Promise.all([planned.build(), planned.build()]);
  expect(timesMade()).toBe(1);
  expect(other).toBe(one);
  expect(plainData(await planned.build())).toEqual(plainData(one));
});

test("a base that is asked for elsewhere, too, is looked up there", async () => {
  const planned = await plan(await emptyCache());
  const there = await planned.build();
  const unbuilt = await plan(await emptyCache());
  const elsewhere: BasesElsewhere = { find: async () => there };
  const [local, remote] = await Promise.all([unbuilt.build(), unbuilt.build(elsewhere)]);
  expect(remote).toBe(there);
  expect(local).not.toBe(there);
});

test("a base that could not be made is tried again", async () => {
  const planned = await plan(await emptyCache());
  const [path = ""] = [...archive.files.keys()].filter((each) => each.endsWith(".deb"));
  const deb = archive.files.get(path) ?? Buffer.alloc(0);
  archive.files.delete(path);
  await expect(planned.build()).rejects.toMatchObject({ code: "NOT_FOUND" });
  archive.files.set(path, deb);
  expect((await planned.build()).packages).toHaveLength(1);
});
