import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installPackedPackage } from "../support/packedPackage.ts";

const root = resolve(import.meta.dirname, "../..");
const isBuilt = existsSync(join(root, "dist/index.js"));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
};

/** The published package, unpacked into the `node_modules` of somebody's project, with nothing beside it. */
describe.skipIf(!isBuilt)(`the package${isBuilt ? "" : " (skipped: run npm run build first)"}`, () => {
  let project: string;
  let installed: string;
  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), "spacktainers-package-"));
    installed = installPackedPackage(project);
  });
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  const filesBelow = (folder: string, end: string): string[] =>
    readdirSync(join(installed, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(end))
      .map((name) => join(installed, folder, name));
  const run = (program: string, args: readonly string[]): string =>
    execFileSync(program, args, { cwd: project, encoding: "utf8" });

  it("has the program, which starts", () => {
    expect(run(join(installed, "dist/cli/main.js"), ["--version"])).toBe(`${manifest.version}\n`);
    expect(run(join(installed, "dist/cli/main.js"), ["list"])).toContain("no containers here");
  });

  it("loads little for its help", () => {
    const loaded = new Set([join(installed, "dist/cli/start.js")]);
    for (const file of loaded) {
      const text = readFileSync(file, "utf8");
      for (const [, imported, started] of text.matchAll(
        /(?:from|import)\s*["'](\.[^"']+\.js)["']|import\(["'`](\.[^"'`]*\/runCli-[^"'`]+)["'`]\)/g,
      ))
        loaded.add(resolve(dirname(file), imported ?? started ?? ""));
    }
    const names = [...loaded].map((file) => file.slice(join(installed, "dist").length + 1));
    expect(names).toContainEqual(expect.stringMatching(/^chunks\/runCli-/));
    expect(names.filter((name) => /definitions|build-|layout/.test(name))).toEqual([]);
    expect([...loaded].reduce((sum, file) => sum + statSync(file).size, 0)).toBeLessThan(300_000);
  });

  it("needs no other package, and runs nothing when it is installed", () => {
    expect(manifest.dependencies ?? {}).toEqual({});
    expect(Object.keys(manifest.scripts)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(pre|post)?install$/)]),
    );
    // What npm adds by itself comes without scripts, too.
    const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
      readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean }>>;
    };
    for (const name of Object.keys(manifest.optionalDependencies))
      expect(packages[`node_modules/${name}`]).toMatchObject({ os: ["linux"], optional: true });
    for (const name of Object.keys(manifest.optionalDependencies))
      expect(packages[`node_modules/${name}`]?.hasInstallScript).toBeUndefined();
  });

  it("is small", () => {
    const sizes = filesBelow(".", "").map((path) => statSync(path));
    const size = sizes.reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0);
    expect(size).toBeGreaterThan(2e6);
    expect(size).toBeLessThan(16e6);
  });

  it("imports nothing but what it brings and Node", () => {
    const scripts = filesBelow("dist", ".js");
    expect(scripts.length).toBeGreaterThan(3);
    for (const script of scripts) {
      const imports = readFileSync(script, "utf8").matchAll(
        /(?:^|[;}])(?:import|export)[^"`';()]*?from["`']([^"`']+)["`']|\bimport\(["`']([^"`']+)["`']\)|(?:^|[;}])import["`']([^"`']+)["`']/g,
      );
      for (const found of imports) {
        const specifier = found[1] ?? found[2] ?? found[3] ?? "";
        if (specifier.startsWith("."))
          expect(existsSync(resolve(dirname(script), specifier)), specifier).toBe(true);
        else if (!specifier.startsWith("node:")) expect(builtinModules).toContain(specifier);
      }
    }
  });

  it("has what it finds by its path: the worker of the install pool", async () => {
    const worker = (await import(join(installed, "dist/install/installWorker.js"))) as { default: unknown };
    expect(worker.default).toBeTypeOf("function");
  });

  it("is a library with types that need nothing else", () => {
    const script = join(project, "use.mts");
    writeFileSync(
      script,
      [
        'import { type BuildResult, openSpacktainers, parseSpec, resultsOrThrow, SpacktainersError } from "spacktainers";',
        'import { type CacheSet, openCaches } from "spacktainers/buildcache";',
        'import { type OciImage, pushImage, writeOciLayout } from "spacktainers/image";',
        'import { type Dialect, satisfies } from "spacktainers/spec";',
        'const options: { dialect: Dialect } = { dialect: "1.x" };',
        "const parse = (text: string) => parseSpec(text, options);",
        'const yes: boolean = satisfies(parse("hdf5@1.14+mpi"), parse("hdf5"), options);',
        "const digest = (result: BuildResult): string => result.digest;",
        "export async function all(): Promise<readonly BuildResult[]> {",
        '  const { build, cache, run } = openSpacktainers({ directory: "." });',
        "  await cache.list({ specs: undefined });",
        '  const status: number = await run({ image: "x", command: ["true"] });',
        "  // @ts-expect-error: an image is needed",
        "  await run({ command: [] });",
        "  return resultsOrThrow(await build({ jobs: status, building: { solve: true } }));",
        "}",
        "export const caches = (url: string): CacheSet => openCaches([{ url }]);",
        'export const push = async (image: OciImage) => (await writeOciLayout("x", [image]), pushImage(image, "r/x:1"));',
        "if (!yes || digest === undefined || SpacktainersError === undefined) throw new Error();",
      ].join("\n"),
    );
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    run(process.execPath, [
      tsc, "--strict", "--target", "es2023", "--module", "nodenext", "--types", "node", "--skipLibCheck", "false", script,
    ]); // biome-ignore format: one option after the other
    expect(run(process.execPath, [join(project, "use.mjs")])).toBe("");
    for (const file of filesBelow("dist/types", ".d.ts"))
      expect(readFileSync(file, "utf8")).not.toMatch(/"zod"|\.ts"/);
  });

  it("has the licences of what is bundled", () => {
    const text = readFileSync(join(installed, "dist/THIRD-PARTY-LICENSES.txt"), "utf8");
    for (const name of ["commander", "yaml", "zod", "undici", "piscina", "@sigstore/sign"])
      expect(text).toMatch(new RegExp(`^${name} \\d.*\\((MIT|ISC|Apache-2.0)\\)$`, "m"));
    expect(text).toMatch(/^openpgp \d.*\(LGPL-3.0\+\)$/m);
    for (const title of ["GNU LESSER GENERAL PUBLIC LICENSE", "GNU GENERAL PUBLIC LICENSE", "Apache License"])
      expect(text).toContain(title);
  });
});
