/**
 * Before all integration tests: some of them run the built project as an ordinary user. Where the tests run as root in a folder
 * that nobody else may enter (root's home, one made by `mktemp -d`), they get a copy that everybody can read.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const project = resolve(import.meta.dirname, "../..");

/** Vitest's global set-up. @returns what removes the copy again */
export default function setup(): (() => void) | undefined {
  // Files that tests make are for other users, too.
  process.umask(0o022);
  const program = join(project, "dist/cli/main.js");
  if (process.getuid?.() !== 0 || process.env.SPACKTAINERS_TEST_DIST !== undefined || !existsSync(program))
    return undefined;
  const nobody = { uid: 65_534, gid: 65_534, cwd: "/" };
  if (spawnSync(process.execPath, [program, "--version"], nobody).status === 0) return undefined;
  const copy = mkdtempSync(join(tmpdir(), "spacktainers-build-"));
  chmodSync(copy, 0o755);
  for (const item of ["dist", "build", "package.json", "schema", ...packagesNeeded()])
    cpSync(join(project, item), join(copy, item), { recursive: true });
  spawnSync("chmod", ["-R", "a+rX", copy]);
  process.env.SPACKTAINERS_TEST_DIST = join(copy, "dist");
  process.env.SPACKTAINERS_TEST_BUILD = join(copy, "build");
  return () => rmSync(copy, { recursive: true, force: true });
}

/** What `package-lock.json` says of a package. */
interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Folders of the packages that the modules in `build/` import, and of those that these need. */
function packagesNeeded(): readonly string[] {
  const { packages } = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, LockedPackage>>;
  };
  const names = new Set<string>();
  const visit = (name: string): void => {
    if (names.has(name)) return;
    names.add(name);
    for (const [path, { dependencies, optionalDependencies }] of Object.entries(packages))
      if (path === `node_modules/${name}` || path.endsWith(`/node_modules/${name}`))
        for (const needed of Object.keys({ ...dependencies, ...optionalDependencies })) visit(needed);
  };
  for (const file of readdirSync(join(project, "build"), { recursive: true, encoding: "utf8" }))
    if (file.endsWith(".js"))
      for (const [, name] of readFileSync(join(project, "build", file), "utf8").matchAll(
        /\b(?:from|import\()\s*"((?:@[a-z][^/"]*\/)?[a-z][^/":]*)[/"]/g,
      ))
        if (name !== undefined) visit(name);
  for (const name of Object.keys(packages[""]?.optionalDependencies ?? {})) visit(name);
  return [...names].map((name) => `node_modules/${name}`).filter((path) => existsSync(join(project, path)));
}
