/** Folders of environments for tests. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll } from "vitest";
import { loadManifest } from "../../src/environment/load.ts";
import type { ManifestOptions } from "../../src/environment/manifest.ts";
import { machineFor } from "./machines.ts";

const made: string[] = [];

afterAll(async () => {
  for (const folder of made) await rm(folder, { recursive: true, force: true });
});

/** Makes a folder with these files and returns its path. A name that ends in `/` is a folder. */
export async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "environment-"));
  made.push(root);
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(name.endsWith("/") ? path : dirname(path), { recursive: true });
    if (!name.endsWith("/")) await writeFile(path, text);
  }
  return root;
}

/** Reads the manifest of such a folder. Problems are `FILE:LINE:COLUMN CODE MESSAGE`, with FILE relative to the folder. */
export async function load(files: Readonly<Record<string, string>>, options: ManifestOptions = {}) {
  const root = await folderOf(files);
  const reading = await loadManifest(join(root, "spack.yaml"), {
    dialect: "1.x",
    machine: machineFor(),
    ...options,
  });
  const texts = (problems: typeof reading.errors) =>
    problems.map(
      ({ code, message, place }) =>
        `${place.file?.replace(`${root}/`, "")}:${place.line}:${place.column} ${code} ${message.replaceAll(`${root}/`, "")}`,
    );
  return {
    root,
    environment: reading.environment,
    roots: reading.environment?.specs.map(({ text }) => text),
    errors: texts(reading.errors),
    warnings: texts(reading.warnings),
  };
}
