import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { supportedNodes } from "../support/supportedNodes.ts";

const root = resolve(import.meta.dirname, "../..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly version: string;
  readonly man: readonly string[];
};
/** An ordinary user, where the tests run as root. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
const owner = process.getuid?.() === 0 ? 65_534 : process.getuid?.();

/** The archive of `npm pack`, installed as users do, in folders with nothing in them. */
describe("the package for npm", () => {
  let place: string;
  let archive: string;
  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), "spacktainers-npm-"));
    chmodSync(place, 0o755);
    const options = ["--ignore-scripts", "--json", "--pack-destination", place];
    const packed = execFileSync("npm", ["pack", ...options], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
    archive = join(place, filename);
  });
  afterAll(() => rmSync(place, { recursive: true, force: true }));

  const folder = (name: string): string => {
    const path = join(place, name);
    mkdirSync(path);
    if (owner !== undefined) spawnSync("chown", [String(owner), path]);
    return path;
  };
  const start = (program: string, args: readonly string[], home: string, cwd = home) =>
    spawnSync(program, args, {
      cwd,
      encoding: "utf8",
      ...user,
      env: {
        PATH: `${join(home, "global/bin")}:${join(home, "node")}:${process.env.PATH}`,
        HOME: home,
        npm_config_cache: join(home, "npm-cache"),
        npm_config_prefix: join(home, "global"),
        npm_config_update_notifier: "false",
      },
    });

  it("is installed globally: without a registry, without scripts, with its manual, small", () => {
    const home = folder("global-home");
    // What is optional would come from the registry.
    const options = ["--global", "--offline", "--omit=optional", "--no-audit", "--no-fund"];
    const { status, stderr } = start("npm", ["install", ...options, archive], home);
    expect(status, stderr).toBe(0);
    expect(stderr).not.toMatch(/script/);
    const started = start("spacktainers", ["version", "--json"], home);
    expect(JSON.parse(started.stdout)).toMatchObject({
      type: "result",
      version: manifest.version,
      node: process.versions.node,
      platform: "linux",
      arch: process.arch,
    });
    const pages = readdirSync(join(home, "global/share/man/man1")).sort();
    expect(pages).toEqual(manifest.man.map((page) => page.replace("dist/man/", "")));
    expect(sizeOf(join(home, "global"))).toBeLessThan(25e6);
  });

  it("is run by npx in an empty folder", () => {
    const home = folder("npx-home");
    const empty = folder("empty");
    const options = ["--yes", "--offline", "--omit=optional"];
    const { stdout, stderr } = start(
      "npx",
      [...options, `--package=${archive}`, "spacktainers", "list"],
      home,
      empty,
    );
    expect(stdout, stderr).toContain("no containers here");
    expect(readdirSync(empty)).toEqual([]);
  });

  describe.each(supportedNodes)("with Node.js $version", ({ version, program }) => {
    it.skipIf(program !== undefined)(
      "(skipped: it is not in .scratch: scripts/install-components.sh)",
      () => {},
    );

    it.skipIf(program === undefined)("packs, links and reads images and caches", () => {
      const home = folder(`node-${version}`);
      mkdirSync(join(home, "node"));
      symlinkSync(program ?? "", join(home, "node/node"));
      const { status, stderr } = start(
        "npm",
        ["install", "--offline", "--omit=optional", "--no-audit", "--no-fund", archive],
        home,
      );
      expect(status, stderr).toBe(0);
      const main = join(home, "node_modules/spacktainers/dist/cli/main.js");
      const run = (args: readonly string[]) => start(program ?? "", [main, ...args], home);
      expect(run(["--help"]).stdout).toContain("Usage: spacktainers");
      // Verifies signatures (a file of its own), installs in threads (another), compresses to zstd (WebAssembly, or Node's own).
      for (const [name, compression] of [
        ["one", "gzip"],
        ["two", "zstd"],
      ] as const) {
        const project = join(home, name);
        writeProject(project, compression);
        const built = run(["-C", project, "build", "app", "--json"]);
        expect(built.status, `${built.stdout}${built.stderr}`).toBe(0);
        expect(digestIn(built.stdout)).toMatch(/^sha256:/);
        digests.set(compression, (digests.get(compression) ?? new Set()).add(digestIn(built.stdout)));
      }
    });
  });

  /** Of each compression: whatever Node.js made it. */
  const digests = new Map<string, Set<string>>();
  it("makes the same bytes with all of them", () => {
    for (const found of digests.values()) expect([...found]).toHaveLength(1);
  });
});

const unresolved = [
  ...["libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2"],
  ...["/usr/bin/bash", "/usr/bin/perl", "glibc 2.36"],
];

/** A container with a package of the demo's cache. */
function writeProject(folder: string, compression: string): void {
  const definition = join(folder, "container_definitions/amd64/app");
  const text = [
    "spacktainers: 1",
    "caches: [{ url: cache, trust: [cache.pub] }]",
    "base: { scratch: true }",
    // There is nothing underneath: what the packages want of a system is not looked for.
    `linkage: { allow-unresolved: ${JSON.stringify(unresolved)} }`,
    `layers: { compression: ${compression} }`,
  ].join("\n");
  mkdirSync(definition, { recursive: true });
  for (const name of ["cache", "cache.pub"])
    cpSync(join(root, "demo", name), join(folder, name), { recursive: true });
  writeFileSync(join(folder, "spacktainers.yaml"), `${text}\n`);
  writeFileSync(join(definition, "spack.yaml"), "spack:\n  specs: [mpich]\n");
  if (owner !== undefined) spawnSync("chown", ["-R", String(owner), folder]);
}

function digestIn(output: string): string {
  const documents = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly type: string; readonly digest?: string });
  return documents.find(({ type }) => type === "result")?.digest ?? "";
}

/** Bytes of the files below a folder. */
function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => lstatSync(join(folder, name)))
    .reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0);
}
