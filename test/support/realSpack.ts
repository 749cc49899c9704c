/** A real Spack for tests, where SPACKTAINERS_TEST_SPACK names one: see docs/building.md. */
import { existsSync } from "node:fs";
import { join } from "node:path";

/** What the folder has. */
export interface RealSpack {
  /** A git repository of Spack with its files. */
  readonly checkout: string;
  /** Folders with `repo.yaml`. */
  readonly recipes: readonly string[];
  /** A git repository of recipes with its files; undefined where only a checkout of Spack is named. */
  readonly packages: string | undefined;
  readonly wheels: string | undefined;
  /** A mirror of sources. */
  readonly sources: string | undefined;
  /** What Spack found out about the recipes, kept from one run of tests to the next. */
  readonly misc: string | undefined;
}

/** Undefined without the variable. It may also name a checkout of Spack itself, SPACKTAINERS_TEST_SPACK_REPOS then its recipes. */
export const realSpack = ((): RealSpack | undefined => {
  const root = process.env.SPACKTAINERS_TEST_SPACK;
  if (root === undefined || root === "") return undefined;
  const named = (process.env.SPACKTAINERS_TEST_SPACK_REPOS ?? "").split(":").filter((path) => path !== "");
  const inside = (name: string): string | undefined =>
    existsSync(join(root, name)) ? join(root, name) : undefined;
  const packages = inside("spack-packages");
  const builtin = packages === undefined ? [] : [join(packages, "repos/spack_repo/builtin")];
  return {
    checkout: existsSync(join(root, "bin/spack")) ? root : join(root, "spack"),
    recipes: named.length > 0 ? named : builtin,
    packages,
    wheels: inside("wheels"),
    sources: inside("sources"),
    misc: inside("misc"),
  };
})();
