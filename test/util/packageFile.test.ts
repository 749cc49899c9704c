import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { packageFile } from "../../src/util/packageFile.ts";

it("finds files of the package from wherever the code lies", () => {
  expect(packageFile("package.json")).toBe(resolve(import.meta.dirname, "../../package.json"));
  expect(JSON.parse(readFileSync(packageFile("package.json"), "utf8"))).toMatchObject({
    name: "spacktainers",
  });
});
