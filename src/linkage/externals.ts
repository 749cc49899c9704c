/** Packages of the system that Spack relied on: what the base has to have. */
import { compareLibcVersions, newerLibcHint } from "../base/libc.ts";
import { briefSpec, type ConcreteSpec } from "../spec/concrete.ts";
import { type FileTree, imagePath } from "../view/fileTree.ts";
import type { LinkageProblem } from "./types.ts";

const systemPrefixes: ReadonlySet<string> = new Set(["/", "/usr", "/usr/local"]);

/**
 * What external packages ask of an image that it does not fulfil: folders outside the system's that do not exist, and a
 * C library older than the one the packages were built with. What programs need of the system's libraries is seen by
 * `checkLinkage`.
 * @param tree all files of the image
 * @param libcVersion of the base's C library, such as `2.36`; undefined when it has none
 */
export function externalsMissing(
  externals: readonly ConcreteSpec[],
  tree: FileTree,
  libcVersion: string | undefined,
): readonly LinkageProblem[] {
  const problems: LinkageProblem[] = [];
  for (const spec of externals) {
    const given = spec.external?.path;
    const path = given?.startsWith("/") === true ? `/${imagePath(given)}` : given;
    const owner = briefSpec(spec);
    if (spec.name === "glibc") {
      if (libcVersion === undefined || compareLibcVersions(libcVersion, spec.version) < 0)
        problems.push({
          kind: "libc",
          severity: "error",
          owner,
          missing: `glibc ${spec.version}`,
          library: libcVersion === undefined ? undefined : `the base's glibc ${libcVersion}`,
          files: [],
          hint: newerLibcHint(spec.version),
        });
    } else if (path?.startsWith("/") === true && !systemPrefixes.has(path) && !tree.exists(path)) {
      problems.push({
        kind: "external",
        severity: "error",
        owner,
        missing: path,
        files: [],
        hint: `build the packages with a ${spec.name} of Spack's own, or use a base that has ${path}`,
      });
    }
  }
  return problems;
}
