/** A small base, and packages over it to check. */
import { checkLinkage } from "../../src/linkage/checkLinkage.ts";
import type { LinkageInput, LinkageReport } from "../../src/linkage/types.ts";
import type { ConcreteSpec } from "../../src/spec/concrete.ts";
import { FileTree } from "../../src/view/fileTree.ts";
import { librariesIn } from "../../src/view/ldSoCache.ts";
import { cacheDirectories } from "../../src/view/ldSoConf.ts";
import { elf, type Files, inventory } from "../view/entries.ts";
import { makeSpec } from "../view/makeSpec.ts";

export const interpreter = "/lib64/ld-linux-x86-64.so.2";
export const base: Files = {
  "lib64/ld-linux-x86-64.so.2": elf({ soname: "ld-linux-x86-64.so.2" }),
  "usr/lib/x86_64-linux-gnu/libc.so.6": elf({
    soname: "libc.so.6",
    needed: ["ld-linux-x86-64.so.2"],
    versionsDefined: ["GLIBC_2.2.5", "GLIBC_2.36"],
  }),
  "usr/bin/env": elf({ interpreter, needed: ["libc.so.6"] }),
  "usr/bin/dash": elf({ interpreter, needed: ["libc.so.6"] }),
  "usr/bin/sh": "-> dash",
  bin: "-> usr/bin",
  lib: "-> usr/lib",
};
export const program = (...needed: string[]) =>
  elf({ interpreter, needed: [...needed, "libc.so.6"], rpath: ["/sw/app/lib"] });

/** Checks packages at `/sw/<name>` over a small base. */
export function check(
  packages: readonly (readonly [ConcreteSpec, Files])[],
  more: Partial<LinkageInput> = {},
  below: Files = base,
): LinkageReport {
  const tree = new FileTree([
    inventory(below),
    ...packages.map(([spec, files]) => inventory(files, `sw/${spec.name}`)),
  ]);
  return checkLinkage({
    tree,
    architecture: "amd64",
    packages: packages.map(([spec]) => ({ spec, prefix: `/sw/${spec.name}` })),
    cache: librariesIn(tree, cacheDirectories("amd64", undefined)),
    searchPath: ["/usr/bin"],
    ...more,
  });
}

export const app = makeSpec("app");
export const missing = (report: LinkageReport): string[] =>
  report.problems.map((one) => `${one.owner} ${one.files.join(",")} ${one.missing}`);
