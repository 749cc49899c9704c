import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/**
 * Installs what would be published into the `node_modules` of somebody's project, with nothing beside it but types of Node.
 *
 * @param project its folder
 * @returns the folder of the package
 */
export function installPackedPackage(project: string): string {
  const modules = join(project, "node_modules");
  const installed = join(modules, "spacktainers");
  mkdirSync(installed, { recursive: true });
  const packed = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", project], {
    cwd: root,
    encoding: "utf8",
    timeout: 120_000,
  });
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  const archive = join(project, filename);
  execFileSync("tar", ["-xzf", archive, "-C", installed, "--strip-components=1"], { timeout: 120_000 });
  rmSync(archive);
  for (const name of ["@types/node", "undici-types"]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  return installed;
}
