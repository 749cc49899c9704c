import { access } from "node:fs/promises";
import { aptSourcesText } from "../../base/debian/aptSourcesText.ts";
import type { BaseConfiguration } from "../../definitions/configuration.ts";
import type { FileTree } from "../../view/fileTree.ts";
import { baseSpec } from "../base/baseSpec.ts";

/** A file of this machine, or a text. */
export type NetworkFile = { readonly file: string } | { readonly text: string };

/**
 * Files that commands see which use the network: how names are resolved here, and, where the base was made of packages and names no
 * sources, where apt finds more of them. They are in no layer.
 *
 * @param tree the image's files
 * @returns by path in the image
 */
export async function networkFiles(
  tree: FileTree,
  base: BaseConfiguration,
  architecture: "amd64" | "arm64",
): Promise<ReadonlyMap<string, NetworkFile>> {
  const files = new Map<string, NetworkFile>();
  for (const path of ["/etc/resolv.conf", "/etc/hosts"]) {
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere) files.set(path, { file: path });
  }
  const spec = baseSpec(base);
  if (spec.kind === "debian" && tree.exists("usr/bin/apt-get") && !hasSources(tree))
    files.set("/etc/apt/sources.list.d/base.list", { text: await aptSourcesText(spec, architecture) });
  return files;
}

function hasSources(tree: FileTree): boolean {
  const folder = tree.resolve("etc/apt/sources.list.d");
  return (
    tree.exists("etc/apt/sources.list") ||
    (folder !== undefined && tree.children(folder.path).some((name) => /\.(?:list|sources)$/.test(name)))
  );
}
