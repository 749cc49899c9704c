/** A root directory with real files in it: the corpus's packages, installed by us, over files of this machine. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Inventory } from "../../src/archive/inventory.ts";
import { unpackEntries } from "../../src/archive/unpackEntries.ts";
import { defaultInspections } from "../../src/environment/prefixInspections.ts";
import { installPackage } from "../../src/install/installPackage.ts";
import { makeTopLayer, streamEntries, type TopLayer } from "../../src/pipeline/assemble/topLayer.ts";
import { RecipeEnvironment } from "../../src/recipes/recipeEnvironment.ts";
import type { DagHash, SpecGraph } from "../../src/spec/concrete.ts";
import { FileTree } from "../../src/view/fileTree.ts";
import { mergeView } from "../../src/view/mergeView.ts";
import type { ViewPackage } from "../../src/view/types.ts";
import { corpusRequests, recordings } from "../support/corpusInstall.ts";
import { readInstalled } from "../view/installedCorpus.ts";

/** Debian packages of this machine that make a small base. */
const basePackages = [
  "base-files",
  "bash",
  "coreutils",
  "dash",
  "libacl1",
  "libattr1",
  "libc6",
  "libc-bin",
  "libcrypt1",
  "libgcc-s1",
  "libgmp10",
  "libpcre2-8-0",
  "libselinux1",
  "libssl3",
  "libreadline8",
  "libstdc++6",
  "libtinfo6",
  "perl-base",
  "zlib1g",
];

/** Whether this machine can make and enter such a root directory. */
export function canMakeBase(): boolean {
  return (
    process.getuid?.() === 0 &&
    process.arch === "x64" &&
    existsSync("/usr/bin/dpkg") &&
    existsSync("/usr/sbin/chroot")
  );
}

/** Copies the files of the base packages below `root`. */
export function makeBase(root: string, packages: readonly string[] = basePackages): void {
  const listed = execFileSync("dpkg", ["-L", ...packages], { encoding: "utf8" });
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    mkdirSync(join(root, "usr", name), { recursive: true });
    symlinkSync(`usr/${name}`, join(root, name));
  }
  for (const path of new Set(listed.split("\n"))) {
    if (!path.startsWith("/") || /^\/usr\/share\/(doc|man|locale|info)\//.test(path)) continue;
    const info = lstatSync(path, { throwIfNoEntry: false });
    const target = join(root, path);
    if (info === undefined || existsSync(target)) continue;
    if (info.isDirectory()) mkdirSync(target, { recursive: true });
    else {
      mkdirSync(dirname(target), { recursive: true });
      if (info.isSymbolicLink()) symlinkSync(readlinkSync(path), target);
      else if (info.isFile()) copyFileSync(path, target);
    }
  }
  symlinkSync("dash", join(root, "usr/bin/sh.tmp"));
  if (!existsSync(join(root, "usr/bin/sh"))) symlinkSync("dash", join(root, "usr/bin/sh"));
}

/** Packages of a recording, installed below `root`, with their view, cache and configuration. */
export interface RealTree {
  readonly packages: readonly ViewPackage[];
  readonly roots: readonly DagHash[];
  readonly graph: SpecGraph;
  readonly inventories: readonly Inventory[];
}

/**
 * Installs a recording's packages below a root directory, at `/opt/software`, with a view at `/opt/view`.
 * @param root undefined: nothing is written, only inventories are made
 */
export async function installTree(
  folder: "installed" | "installed-v3",
  root: string | undefined,
): Promise<RealTree> {
  const recording = recordings.find((one) => one.folder === folder) ?? recordings[0];
  const recorded = readInstalled(folder);
  const requests = corpusRequests(
    recording,
    { strip: true, sbang: "undo", metadata: false },
    "/opt/software",
  );
  const packages: ViewPackage[] = [];
  for (const request of requests) {
    const spec = recorded.graph.get(request.hash);
    if (spec === undefined) continue;
    const installed = installPackage(request);
    if (root === undefined) for await (const _ of installed.entries);
    else await unpackEntries(root, installed.entries);
    packages.push({ spec, prefix: request.prefixes[request.hash] ?? "", inventory: installed.inventory() });
  }
  const order = new Map(recorded.packages.map((one, index) => [one.spec.hash, index]));
  packages.sort((a, b) => (order.get(a.spec.hash) ?? 0) - (order.get(b.spec.hash) ?? 0));
  return {
    packages,
    roots: recorded.roots,
    graph: recorded.graph,
    inventories: packages.map((one) => one.inventory),
  };
}

/** Puts the view, the script, the cache and sbang on top, as the pipeline does. */
export async function addTop(root: string | undefined, real: RealTree, base: Inventory): Promise<TopLayer> {
  const view = mergeView(real.packages, {
    viewPath: "/opt/view",
    layout: "link",
    linkType: "symlink",
    metadata: false,
  });
  const top = makeTopLayer({
    architecture: "amd64",
    graph: real.graph,
    roots: real.roots,
    prefixes: new Map(real.packages.map((one) => [one.spec.hash, one.prefix])),
    root: "/opt/software",
    tree: new FileTree([base, ...real.inventories]),
    inventories: real.inventories,
    view,
    inspections: defaultInspections,
    manifestChanges: [],
    openRecipes: (world) => new RecipeEnvironment(world),
    manifestText: "",
    lockText: "",
  });
  if (root !== undefined) await unpackEntries(root, streamEntries(top.entries), { overwrite: true });
  return top;
}

/** Runs a shell script inside the root directory. */
export function runInside(root: string, script: string): string {
  const path = join(root, "run.sh");
  writeFileSync(path, script);
  chmodSync(path, 0o755);
  return execFileSync("/usr/sbin/chroot", [root, "/bin/bash", "/run.sh"], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    env: { PATH: "/opt/view/bin:/usr/bin:/bin", LC_ALL: "C" },
  });
}
