import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeNode } from "../../src/environment/writeLock.ts";
import { readInstallTree } from "../../src/spack/installTree.ts";
import type { ConcreteSpec } from "../../src/spec/concrete.ts";
import { makeSpec } from "../concretize/specs.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spacktainers-tree-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const gcc = makeSpec("gcc@12.2.0", { modern: true, external: "/usr" });
const zlib = makeSpec("zlib@1.3.1", { modern: true, build: [gcc] });
const gone = makeSpec("gone@1.0", { modern: true });

async function makeTree(root: string, specs: readonly ConcreteSpec[] = [gcc, zlib, gone]): Promise<void> {
  await mkdir(join(root, ".spack-db"), { recursive: true });
  const installs = Object.fromEntries(
    specs.map((spec) => [
      spec.hash,
      {
        spec: writeNode(spec, spec.specfileVersion),
        path: spec.external === undefined ? join(root, spec.name) : spec.external.path,
        installed: spec !== gone,
      },
    ]),
  );
  const version = (specs[0]?.specfileVersion ?? 5) > 4 ? "8" : "7";
  await writeFile(join(root, ".spack-db/index.json"), JSON.stringify({ database: { version, installs } }));
}

describe("readInstallTree", () => {
  it("knows what is installed: nothing external, nothing that is gone", async () => {
    const root = join(folder, "opt");
    await makeTree(root);
    const tree = await readInstallTree(root);
    expect(tree).toMatchObject({ root, configuredRoot: root, paddedLength: 0, generation: "1.x" });
    expect([...tree.prefixes]).toEqual([[zlib.hash, join(root, "zlib")]]);
    expect([...tree.specs.keys()].sort()).toEqual([gcc.hash, zlib.hash, gone.hash].sort());
  });

  it("finds it behind its padding, whatever was cut off of that, and from a prefix in it", async () => {
    const word = "__spack_path_placeholder__";
    const pads = [
      word,
      `${word}/${word}`,
      `${word}/${word}/__spac`,
      `${word}/__spack_path_placeholder_`,
      `${word}/__`,
    ];
    for (const [at, pad] of pads.entries()) {
      const configured = join(folder, `opt${at}`);
      const root = join(configured, pad);
      await makeTree(root);
      await mkdir(join(root, "zlib"));
      for (const path of [configured, root, join(root, "zlib")])
        expect(await readInstallTree(path)).toMatchObject({
          root,
          configuredRoot: configured,
          paddedLength: Buffer.byteLength(root),
        });
    }
  });

  it("tells the generation of Spack that made it", async () => {
    await makeTree(folder, [makeSpec("zlib@1.2.13")]);
    expect((await readInstallTree(folder)).generation).toBe("0.x");
  });

  it("says what is wrong where there is none, or no database", async () => {
    await expect(readInstallTree(folder)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await mkdir(join(folder, ".spack-db"));
    await writeFile(join(folder, ".spack-db/index.json"), "{");
    await expect(readInstallTree(folder)).rejects.toMatchObject({ code: "CACHE_INVALID" });
    await writeFile(join(folder, ".spack-db/index.json"), '{"database": {"version": "99", "installs": {}}}');
    await expect(readInstallTree(folder)).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  });
});
