// Recipes for Spack and conda: those in `packaging/`, with the version and the digest of the archive that npm has.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

const recipes = {
  "spack/package.py": "spack/spack_repo/spacktainers/packages/spacktainers/package.py",
  "conda/recipe.yaml": "conda/recipe.yaml",
};

/** What makes a folder a repository of Spack packages. */
const repository = "repo:\n  namespace: spacktainers\n  api: v2.2\n";

/**
 * Writes them below a folder: `spack/`, to be given to `spack repo add spack/spack_repo/spacktainers`, and `conda/`.
 *
 * @param {string} output
 * @param {{ version: string, sha256: string }} facts of the archive
 */
export function writeRecipes(output, { version, sha256 }) {
  const write = (path, text) => {
    mkdirSync(dirname(join(output, path)), { recursive: true });
    writeFileSync(join(output, path), text);
  };
  for (const [source, target] of Object.entries(recipes)) {
    const text = readFileSync(join(root, "packaging", source), "utf8");
    write(target, text.replaceAll("{{version}}", version).replaceAll("{{sha256}}", sha256));
  }
  write("spack/spack_repo/spacktainers/repo.yaml", repository);
}
