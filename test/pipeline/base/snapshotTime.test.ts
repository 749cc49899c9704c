import { expect, test } from "vitest";
import { snapshotTime } from "../../../src/pipeline/base/snapshotTime.ts";

const base = {
  kind: "debian",
  distribution: "debian",
  suite: "bookworm",
  packages: undefined,
  complete: true,
} as const;

test("the moment of a snapshot is in seconds since 1970", () => {
  expect(snapshotTime({ ...base, snapshot: "20250102T030405Z" })).toEqual([1_735_787_045]);
});

test("there is none without a snapshot, or of other bases", () => {
  expect(snapshotTime(base)).toEqual([]);
  expect(snapshotTime({ kind: "scratch" })).toEqual([]);
});
