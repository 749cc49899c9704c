import { resolve } from "node:path";

/**
 * The built project: what users run. Elsewhere for those who change the project while the tests run, and where other users
 * cannot read the project (`./readableBuild.ts`).
 */
export const builtProject = process.env.SPACKTAINERS_TEST_DIST ?? resolve(import.meta.dirname, "../../dist");

/** The same as one module a file, for tests that start a part of it in a process of its own. */
export const builtModules =
  process.env.SPACKTAINERS_TEST_BUILD ?? resolve(import.meta.dirname, "../../build");
