import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { platformOf } from "../../src/image/platform.ts";
import { openLocalImage } from "../../src/sif/openLocalImage.ts";
import { digestOf } from "../../src/util/digest.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-local-"));
  path = join(folder, "image.sqfs");
  vi.stubEnv("XDG_CACHE_HOME", folder);
  writeFileSync(path, "hsqs and more");
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

async function contentOf(architecture: "amd64" | "arm64" = "amd64") {
  const image = await openLocalImage(path, [platformOf(architecture)]);
  try {
    return await image.contentDigest();
  } finally {
    await image.close();
  }
}

const notes = () => join(folder, "spacktainers/archives/contents");

it("reads a file whose content it knows no second time", async () => {
  // As if it had been there for long.
  const now = Date.now();
  vi.spyOn(Date, "now").mockReturnValue(now + 60_000);
  const first = await contentOf();
  const [note = ""] = readdirSync(notes());
  const other = digestOf("known");
  writeFileSync(join(notes(), note), other);
  expect(await contentOf()).toBe(other);
  // What it is run as is a part of it.
  expect(await contentOf("arm64")).not.toBe(other);
  writeFileSync(join(notes(), note), "damaged");
  expect(await contentOf()).toBe(first);
  writeFileSync(path, "hsqs and other");
  expect(await contentOf()).not.toBe(first);
});

it("remembers nothing of a file that was just written", async () => {
  const first = await contentOf();
  expect(() => readdirSync(notes())).toThrow("ENOENT");
  expect(await contentOf()).toBe(first);
});
