import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ageOfFile, systemClock } from "../../src/util/clock.ts";

it("tells the age of a file by the clock given", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spacktainers-clock-"));
  const file = join(folder, "file");
  writeFileSync(file, "");
  utimesSync(file, 1000, 1000);
  expect(await ageOfFile(file, () => 1_005_000)).toBe(5000);
  expect(await ageOfFile(file, () => 995_000)).toBe(-5000);
  expect(await ageOfFile(join(folder, "missing"))).toBe(Number.POSITIVE_INFINITY);
  rmSync(folder, { recursive: true });
});

it("is the machine's unless another is given", () => {
  expect(Math.abs(systemClock() - Date.now())).toBeLessThan(1000);
});
