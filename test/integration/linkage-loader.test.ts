import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkLinkage } from "../../src/linkage/checkLinkage.ts";
import { Loader } from "../../src/linkage/loader.ts";
import type { LinkageInput } from "../../src/linkage/types.ts";
import type { FileTree } from "../../src/view/fileTree.ts";
import type { CachedLibrary } from "../../src/view/ldSoCache.ts";
import { addTop, canMakeBase, installTree, makeBase, type RealTree, runInside } from "../linkage/realTree.ts";
import { hasCorpus } from "../support/corpusInstall.ts";
import { inventoryOfDirectory } from "../view/inventoryOfDirectory.ts";

const possible = hasCorpus && canMakeBase();

/** What the real loader says about each file: name → path, or `not found`. */
function realAnswers(root: string, paths: readonly string[]): Map<string, Map<string, string>> {
  const list = paths.map((path) => `'${path}'`).join(" ");
  const output = runInside(
    root,
    `for f in ${list}; do echo "== $f"; LD_TRACE_LOADED_OBJECTS=1 /lib64/ld-linux-x86-64.so.2 "$f" 2>/dev/null; done; true`,
  );
  const answers = new Map<string, Map<string, string>>();
  for (const part of output.split("== ").slice(1)) {
    const [path = "", ...lines] = part.split("\n");
    const found = new Map<string, string>();
    for (const line of lines) {
      const [, name, target] = /^\t(\S+) => (not found|\S+)/.exec(line) ?? [];
      if (name !== undefined && target !== undefined) found.set(name, target);
    }
    answers.set(path, found);
  }
  return answers;
}

describe.skipIf(!possible)(
  "the loader's rules against the real loader (needs ../shared/corpus, root, Debian)",
  () => {
    const root = mkdtempSync(join(tmpdir(), "spacktainers-linkage-"));
    let real: RealTree;
    let tree: FileTree;
    let libraries: readonly CachedLibrary[];
    beforeAll(async () => {
      makeBase(root);
      real = await installTree("installed", root);
      const top = await addTop(
        root,
        real,
        inventoryOfDirectory(root, ["bin", "sbin", "lib", "lib64", "usr", "etc"]),
      );
      tree = top.tree;
      libraries = top.libraries;
    });
    afterAll(() => rmSync(root, { recursive: true, force: true }));

    test("every program and library of packages and base: the same files for the same names", () => {
      const loader = new Loader(tree, "amd64", libraries);
      const paths = [...tree.entries()].flatMap(([path, entry]) =>
        entry.type === "file" && entry.elf?.type === "dynamic" && entry.elf.needed.length > 0
          ? [`/${path}`]
          : [],
      );
      expect(paths.length).toBeGreaterThan(300);
      const answers = realAnswers(root, paths);
      let names = 0;
      const differences: string[] = [];
      for (const path of paths) {
        const file = loader.fileAt(path);
        if (file === undefined) throw new Error(path);
        const ours = loader.load(file);
        const missing = new Set(ours.unresolved.map((one) => one.name));
        for (const [name, target] of answers.get(path) ?? []) {
          if (name.startsWith("linux-vdso") || name.startsWith("/")) continue;
          names++;
          const mine = missing.has(name) ? "not found" : `/${ours.names.get(name)?.file.path}`;
          if (mine !== target) differences.push(`${path}: ${name} => ${mine}, the loader: ${target}`);
        }
        const needed = file.facts.needed.filter((name) => !name.startsWith("ld-linux"));
        if (needed.length > 0 && answers.get(path)?.size === 0)
          differences.push(`${path}: the loader says nothing`);
      }
      expect(differences).toEqual([]);
      expect(names).toBeGreaterThan(800);
    });

    const inputOf = (allow: readonly string[]): LinkageInput => ({
      tree,
      architecture: "amd64",
      packages: real.packages,
      cache: libraries,
      searchPath: ["/opt/view/bin", "/usr/bin", "/bin"],
      allow,
    });

    test("the check finds what is really missing, and who has it", () => {
      const report = checkLinkage(inputOf([]));
      // Python's module for NIS was linked with libraries that this base does not have.
      expect(report.problems.map(({ owner, missing, hint }) => [owner, missing, hint])).toEqual([
        ["python@3.11.2/pc5w2a3", "libnsl.so.2", "the Debian package libnsl2 has it"],
        ["python@3.11.2/pc5w2a3", "libtirpc.so.3", "the Debian package libtirpc3 has it"],
      ]);
      expect(() => runInside(root, "python3 -c 'import nis'")).toThrow(/libnsl|libtirpc/);
      expect(report.checked.programs).toBeGreaterThan(100);
      expect(report.checked.scripts).toBeGreaterThan(20);
      expect(report.warnings).toEqual([]);
    });

    test("what was allowed does not stop a build, and the rest of the image runs", () => {
      const report = checkLinkage(inputOf(["libnsl.so.*", "libtirpc.so.3"]));
      expect(report.problems).toEqual([]);
      expect(report.allowed).toHaveLength(2);
      const output = runInside(
        root,
        "mpichversion; python3 -c 'import ringlib, zlib, sqlite3, ssl; print(ringlib.RING)'; pyring; ring --config; h5dump --version",
      );
      expect(output).toContain("MPICH Version");
      expect(output).toContain("pyring 1.0.1 /opt/view");
      expect(output).toContain("h5dump: Version 1.10.8");
    });
  },
);
