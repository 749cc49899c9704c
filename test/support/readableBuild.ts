/**
 * Before all integration tests: some of them run the built project as an ordinary user. Where the tests run as root in a folder
 * that nobody else may enter (root's home, one made by `mktemp -d`), they get a copy that everybody can read.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
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

/** Packages that the published program has in it, and its modules one by one have not. */
const bundled: ReadonlySet<string> = new Set(["commander", "libdeflate", "yaml", "zod"]);

/** Folders of the packages that the program and its modules need. */
function packagesNeeded(): readonly string[] {
  const { packages } = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
  };
  return Object.entries(packages)
    .filter(
      ([path, { dev }]) => path !== "" && (dev !== true || bundled.has(path.replace("node_modules/", ""))),
    )
    .filter(([path]) => existsSync(join(project, path)))
    .map(([path]) => path);
}
