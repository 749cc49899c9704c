import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireBuildTools } from "../../src/spack/hostTools.ts";

let folder: string;
const program = (name: string, status = 0): void => {
  writeFileSync(join(folder, name), `#!/bin/sh\nexit ${status}\n`);
  chmodSync(join(folder, name), 0o755);
};
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-tools-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("requireBuildTools", () => {
  it("names everything that is missing at once, and the packages that have it", async () => {
    for (const name of ["git", "clang", "g++", "patch", "tar", "gzip", "bzip2", "file"]) program(name);
    await expect(requireBuildTools(folder)).rejects.toMatchObject({
      code: "RUNTIME_MISSING",
      message: "packages cannot be built here without make, xz, unzip",
      hint: "on Debian and Ubuntu: apt-get install make xz-utils unzip",
    });
    for (const name of ["make", "xz", "unzip"]) program(name);
    await requireBuildTools(folder);
  });

  it("notices a compiler without headers", async () => {
    program("clang", 1);
    await expect(requireBuildTools(folder)).rejects.toMatchObject({
      message: "packages cannot be built here without the C library's headers",
      hint: expect.stringContaining("libc6-dev"),
    });
  });
});
