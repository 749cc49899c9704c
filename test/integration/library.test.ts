import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installPackedPackage } from "../support/packedPackage.ts";

const root = resolve(import.meta.dirname, "../..");
const isBuilt = existsSync(join(root, "dist/index.js"));
const programs = join(import.meta.dirname, "programs");

/** Programs by others: in a folder of their own, with the published package. */
describe.skipIf(!isBuilt)(`programs${isBuilt ? "" : " (skipped: run npm run build first)"}`, () => {
  let project: string;
  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), "spacktainers-library-"));
    installPackedPackage(project);
    for (const name of ["demo/cache", "demo/cache.pub", "container_definitions/amd64/hello-mpi"])
      cpSync(join(root, name), join(project, name), { recursive: true });
    // No base: nothing is asked of the network.
    const configuration = [
      "caches:",
      "- {url: demo/cache, trust: [demo/cache.pub]}",
      "base: {scratch: true}",
      'linkage: {allow-unresolved: ["*"]}',
    ];
    writeFileSync(join(project, "spacktainers.yaml"), configuration.join("\n"));
    cpSync(programs, project, { recursive: true });
  });
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  const run = (script: string, ...args: readonly string[]) => {
    const env = { ...process.env, XDG_CACHE_HOME: join(project, "cache-home") };
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
      cwd: project,
      encoding: "utf8",
      env,
      timeout: 120_000,
    });
    return { status, stdout, stderr };
  };
  const expectTypes = (...files: readonly string[]): void => {
    const options = ["--allowJs", "--checkJs", "--noEmit", "--strict", "--target", "es2023"];
    const modules = ["--module", "nodenext", "--types", "node", "--skipLibCheck", "false"];
    execFileSync(
      process.execPath,
      [join(root, "node_modules/typescript/bin/tsc"), ...options, ...modules, ...files],
      { cwd: project, encoding: "utf8", timeout: 120_000 },
    );
  };

  it("builds an image and writes a layout", () => {
    const built = run("build-image.mjs", ".", "hello-mpi", "image");
    expect(built.stderr).toBe("");
    const lines = built.stdout.trimEnd().split("\n");
    expect(lines.slice(0, -1).sort()).toEqual(
      [1, 2, 3].map(() => expect.stringMatching(/^install:[a-z0-9]{32} done$/)),
    );
    const [, digest] = /^hello-mpi 1\.0\.0 (sha256:[0-9a-f]{64})$/.exec(lines.at(-1) ?? "") ?? [];
    const index = JSON.parse(readFileSync(join(project, "image/index.json"), "utf8")) as {
      readonly manifests: readonly { readonly digest: string }[];
    };
    expect(index.manifests.map((manifest) => manifest.digest)).toEqual([digest]);
    // What can be made again is where the program said, and nowhere else.
    expect(existsSync(join(project, "cache/fragments"))).toBe(true);
    expect(existsSync(join(project, "cache-home"))).toBe(false);
  });

  it("says what is wrong in place of it", () => {
    const { status, stderr } = run("build-image.mjs", ".", "nosuch", "image");
    expect(status).toBe(1);
    expect(stderr).toContain("UNKNOWN_CONTAINER");
  });

  it("asks which packages of a cache satisfy a spec", () => {
    const asked = run("ask-cache.mjs", "demo/cache", "demo/cache.pub", "mpich+romio target=x86_64");
    expect(asked).toEqual({
      status: 0,
      stderr: "",
      stdout: [
        "mpich@4.0.2~fortran+romio build_system=generic platform=linux os=debian12 target=x86_64 sha256:ad622a6b6f374e3908bb94e9ccd5b0614cc3e7cd1825f130066467097b3f5534",
        "installs mpich gcc-runtime",
        "false",
        "",
      ].join("\n"),
    });
  });

  it("has types for them", () => expectTypes("build-image.mjs", "ask-cache.mjs"));

  describe("docs/library.md", () => {
    const page = readFileSync(join(root, "docs/library.md"), "utf8");
    const examples = [...page.matchAll(/```js\n([\s\S]*?)```\n\n```\n([\s\S]*?)```/g)].map(
      ([, code = "", output = ""], number) => ({ file: `example-${number + 1}.mjs`, code, output }),
    );

    it("has an output for each example", () => {
      expect(examples.length).toBe(page.split("```js\n").length - 1);
      expect(examples.length).toBeGreaterThan(4);
    });

    it.each(examples)("says what $file prints", ({ file, code, output }) => {
      if (code.includes("loadLock")) {
        const locked = run("node_modules/spacktainers/dist/cli/main.js", "lock", "hello-mpi");
        expect(locked.stderr).not.toContain("error");
        cpSync(
          join(project, "container_definitions/amd64/hello-mpi/spack.lock"),
          join(project, "spack.lock"),
        );
      }
      writeFileSync(join(project, file), code);
      expect(run(file)).toEqual({ status: 0, stdout: output, stderr: "" });
    });
  });
});
