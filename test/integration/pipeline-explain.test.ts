import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeSigningKey, startArchive, type TestArchive } from "../base/makeArchive.ts";
import { directory, file } from "../base/makeDeb.ts";
import { makeWorkplace } from "../support/cli.ts";
import { digestOfBuild, expectRefusal, jsonLines } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { definition, edit, key, places, repository } from "./lockedRepositories.ts";

describe("a base of OS packages", () => {
  let archive: TestArchive;
  let armored: string;
  beforeAll(async () => {
    const signer = await makeSigningKey();
    archive = await startArchive(signer);
    armored = signer.publicKey;
  });
  afterAll(() => archive.close());

  it("stays as it was locked when its archive has newer packages", async () => {
    const publish = (version: string) =>
      archive.publish("bookworm", [
        { name: "tool", version, entries: [directory("usr"), file("usr/tool", version)] },
      ]);
    await publish("1.0");
    const work = makeWorkplace();
    places.push(work);
    makeDemoRepository(work, "cache", key);
    writeFileSync(work.path("archive.asc"), armored);
    edit(work.path("spacktainers.yaml"), (text) =>
      text.replace(
        /^base: .*$/m,
        `base: {debian: bookworm, packages: [tool], mirror: "${archive.url}", security-mirror: "${archive.url}", keyring: archive.asc}`,
      ),
    );
    const locked = await work.run(["-q", "lock"]);
    expect(locked.stderr).not.toContain("error");
    expect(locked.stdout).toContain("1 OS package\n");
    const before = digestOfBuild(await work.run(["--json", "build", "--frozen"]));
    await publish("2.0");
    const again = digestOfBuild(
      await work.run(["--json", "build", "--frozen", "--refresh", "--output", "oci:again"]),
    );
    expect(again).toBe(before);
    rmSync(work.path(definition, "spacktainers.lock"));
    const free = digestOfBuild(await work.run(["--json", "build", "--refresh", "--output", "oci:free"]));
    expect(free).not.toBe(before);
  });
});

describe("explain", () => {
  it("shows a container, and packages in it with their paths", async () => {
    const { work } = await repository(true);
    const whole = jsonLines(await work.run(["-q", "--json", "explain", "hello-mpi"])).at(-1);
    expect(whole).toMatchObject({ origin: "lock", buildOnly: ["compiler-wrapper", "gcc", "gmake"] });
    expect(((whole?.packages ?? []) as { name: string }[]).map(({ name }) => name)).toEqual([
      "ring",
      "mpich",
      "gcc-runtime",
    ]);
    const text = await work.run(["-q", "explain", "hello-mpi", "mpi"]);
    expect(text.stdout).toMatch(/^mpich@4\.0\.2\/e445vrq {2}asked for as `mpich`/);
    expect(text.stdout).toContain("ring@1.0.0 -build,link-> mpich@4.0.2");
    expect(text.stdout).toContain("4.0.2/e445vrq: taken");
  });

  it("draws the dependency graph in three languages", async () => {
    const { work } = await repository(true);
    const svg = await work.run(["-q", "explain", "hello-mpi", "--graph", "svg"]);
    expect(svg.stdout).toMatch(/^<svg [\s\S]*ring@1\.0\.0[\s\S]*<\/svg>\n$/);
    expect((await work.run(["-q", "explain", "hello-mpi", "--graph", "dot"])).stdout).toMatch(
      /^digraph packages \{/,
    );
    expect((await work.run(["-q", "explain", "hello-mpi", "--graph", "mermaid"])).stdout).toMatch(
      /^flowchart LR\n/,
    );
  });

  it("says that a locked package is in no cache, which one is most like it, and in what", async () => {
    const { work } = await repository(true);
    edit(work.path(definition, "spack.lock"), (text) =>
      text
        .replaceAll("e445vrqkp6xympwm6ldw2fyf67auho7u", "b".repeat(32))
        .replaceAll('"romio": true', '"romio": false'),
    );
    const [explained] = (jsonLines(await work.run(["-q", "--json", "explain", "hello-mpi", "mpich"])).at(-1)
      ?.explanations ?? []) as Record<string, unknown>[];
    expect(explained).toMatchObject({
      missing: { code: "PACKAGE_NOT_CACHED" },
      nearest: { version: "4.0.2", text: "~romio → +romio" },
      chosenNow: { version: "4.0.2", text: "~romio → +romio" },
    });
  });

  it("says which containers a package affects", async () => {
    const { work } = await repository(true);
    mkdirSync(work.path("container_definitions/amd64/other"));
    writeFileSync(
      work.path("container_definitions/amd64/other/spack.yaml"),
      "spack:\n  specs: [gcc-runtime]\n",
    );
    const affected = (spec: string) => work.run(["-q", "--json", "explain", "--affects", spec]);
    const names = async (spec: string) =>
      ((jsonLines(await affected(spec)).at(-1)?.containers ?? []) as { name: string }[]).map(
        ({ name }) => name,
      );
    expect(await names("mpich")).toEqual(["hello-mpi"]);
    expect(await names("gcc-runtime@12")).toEqual(["hello-mpi", "other"]);
    expect(await names("gcc-runtime@11")).toEqual([]);
  });

  it("refuses what neither the container nor a cache has", async () => {
    const { work } = await repository(true);
    expectRefusal(await work.run(["-q", "explain", "hello-mpi", "mpihc"]), {
      code: "NOT_FOUND",
      status: 4,
      says: "`mpihc`",
      hint: "mpich",
    });
  });
});

describe("diff", () => {
  it("compares an image with its lock and with what the caches give", async () => {
    const { work } = await repository(true);
    await work.run(["-q", "build"]);
    for (const [a, b] of [
      ["lock:hello-mpi", "image:hello-mpi"],
      ["dist/amd64/hello-mpi", "caches:hello-mpi"],
      ["hello-mpi"],
    ] as const) {
      const result = await work.run(["-q", "diff", a, ...(b === undefined ? [] : [b])]);
      expect(result.stdout).toContain("the same 3 packages");
      expect(result.status).toBe(0);
    }
  });

  it("tells what was removed and what changed in what", async () => {
    const { work } = await repository(true);
    cpSync(work.path(definition, "spack.lock"), work.path("old.lock"));
    edit(work.path(definition, "spack.lock"), (text) =>
      text
        .replaceAll("e445vrqkp6xympwm6ldw2fyf67auho7u", "b".repeat(32))
        .replaceAll('"romio": true', '"romio": false'),
    );
    const result = await work.run(["-q", "diff", "old.lock", "hello-mpi"]);
    expect(result.stdout).toContain("~ mpich@4.0.2/e445vrq → 4.0.2/bbbbbbb\n    +romio → ~romio\n");
    expect(result.stdout).not.toMatch(/[█░]/);
    const json = jsonLines(await work.run(["-q", "--json", "diff", "old.lock", "hello-mpi"])).at(-1);
    expect(json).toMatchObject({ added: [], removed: [], unchanged: 2 });
  });

  it("draws by how much layers and packages grew", async () => {
    const { work } = await repository(true);
    await work.run(["-q", "build"]);
    await work.run(["-q", "build", "--no-strip", "-o", "oci:dist/whole"]);
    const images = ["dist/amd64/hello-mpi", "dist/whole"];
    const { stdout } = await work.run(["-q", "diff", ...images, "--bars"]);
    expect(stdout).toMatch(/^LAYERS {2}█ more {2}░ less\npackages {2}\+[\d.]+ [kM]?B {2}█+$/m);
    const json = jsonLines(await work.run(["-q", "--json", "diff", ...images])).at(-1);
    expect(json).toMatchObject({
      layerSizes: [{ role: "base", before: 0, after: 0 }, { role: "packages" }, {}],
    });
  });

  it("refuses images without packages, and containers that are not built", async () => {
    const { work } = await repository(true);
    expectRefusal(await work.run(["-q", "diff", "image:hello-mpi", "hello-mpi"]), {
      code: "NOT_FOUND",
      status: 4,
      hint: "spacktainers build hello-mpi",
    });
  });
});
