import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  publicRecord,
  rememberedSpack,
  rememberSpack,
  spackRecordSchema,
} from "../../src/spack/solveRecords.ts";
import type { SpackRecord } from "../../src/spack/spack.ts";
import { digestOf } from "../../src/util/digest.ts";

const commit = "abcdef6789012345678901234567890123456789";
const record: SpackRecord = {
  version: "1.1.0",
  url: "https://user:secret@example.org/spack.git",
  commit,
  modified: false,
  solver: ["clingo-5.8.0-x.whl"],
  repositories: [
    { namespace: "ours", url: "/home/me/recipes", commit, modified: true },
    { namespace: "more", url: "git@host:org/more.git", commit, modified: false },
    { namespace: "builtin", url: "/srv/git/packages.git", commit, modified: false },
  ],
  builder: undefined,
};
const digest = digestOf("builder");

let folder: string;
let before: string | undefined;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-records-"));
  before = process.env.XDG_CACHE_HOME;
  process.env.XDG_CACHE_HOME = folder;
});
afterAll(() => {
  if (before === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = before;
  rmSync(folder, { recursive: true, force: true });
});

describe("what is recorded of a Spack", () => {
  it("has commits, and neither paths of this machine nor secrets", () => {
    const shown = publicRecord(record);
    expect(shown).toEqual({
      version: "1.1.0",
      url: "https://example.org/spack.git",
      commit,
      repositories: [
        { namespace: "ours", url: undefined, commit: undefined },
        { namespace: "more", url: "git@host:org/more.git", commit },
        { namespace: "builtin", url: undefined, commit },
      ],
      builder: undefined,
    });
    expect(JSON.stringify(shown)).not.toMatch(/secret|home|srv/);
  });

  it.each([
    ["ghcr.io/my-org/spack-builder:1", "ghcr.io/my-org/spack-builder:1"],
    ["local_builder", "local_builder"],
    ["/srv/images/builder.sif", undefined],
    ["../builder", undefined],
  ])("has the builder image %s by its digest, and as %s", async (image, shown) => {
    const inside = { ...record, builder: { image, digest } };
    expect(publicRecord(inside).builder).toEqual({ image: shown, digest });
    await rememberSpack(image, inside);
    expect(await rememberedSpack(image)).toEqual(publicRecord(inside));
  });

  it("has no digest that is none", () => {
    const written = { version: "1.1.0", repositories: [], builder: { digest: "sha256:short" } };
    expect(spackRecordSchema.safeParse(written).success).toBe(false);
  });

  it("is remembered for a lock", async () => {
    expect(await rememberedSpack("lock")).toBeUndefined();
    await rememberSpack("lock", record);
    expect(await rememberedSpack("lock")).toEqual(publicRecord(record));
    expect(await rememberedSpack("another lock")).toBeUndefined();
    const records = join(folder, "spacktainers/spack/records");
    for (const text of ["", "{}", '{"version":1,"repositories":[]}', "nothing"]) {
      for (const name of readdirSync(records)) writeFileSync(join(records, name), text);
      expect(await rememberedSpack("lock")).toBeUndefined();
    }
  });
});
