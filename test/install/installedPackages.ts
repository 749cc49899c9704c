import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { readContent } from "../../src/archive/content.ts";
import { imageMtime } from "../../src/archive/entry.ts";
import { installPackage } from "../../src/install/installPackage.ts";
import type { InstallRequest } from "../../src/install/types.ts";
import type { DagHash } from "../../src/spec/concrete.ts";
import type { Dialect } from "../../src/spec/dialect.ts";
import { buildPackage, type TarMember } from "../support/tarBuilder.ts";

export const oldRoot = "/build/root/with/a/lot/of/padding";

export const hash = "abcdefghijklmnopqrstuvwxyz234567" as DagHash;

export const depHash = "bcdefghijklmnopqrstuvwxyz2345672" as DagHash;

export const oldPrefix = `${oldRoot}/linux/tool-1.0-${hash}`;

export const oldDep = `${oldRoot}/linux/zlib-1.3-${depHash}`;

export const prefix = `/sw/linux/tool-1.0-${hash}`;

export const dep = `/sw/linux/zlib-1.3-${depHash}`;

export const sbangLine = (root: string): string => `#!/bin/sh ${root}/bin/sbang\n`;

export let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "install-"));
});

afterAll(() => rmSync(folder, { recursive: true }));

export interface Package {
  readonly members: readonly TarMember[];
  readonly text?: readonly string[];
  readonly binaries?: readonly string[];
  readonly links?: readonly string[];
  readonly generation?: Dialect;
  readonly options?: Partial<InstallRequest["options"]>;
  readonly request?: Partial<InstallRequest>;
}

export function requestFor(pack: Package): InstallRequest {
  const archivePath = join(folder, "tool.spack");
  const buildinfo = {
    sbang_install_path: "/build/bin/sbang",
    buildpath: oldRoot,
    spackprefix: "/home/spack",
    relative_prefix: `linux/tool-1.0-${hash}`,
    relocate_textfiles: pack.text ?? [],
    relocate_binaries: pack.binaries ?? [],
    relocate_links: pack.links ?? [],
    hash_to_prefix: { [hash]: oldPrefix, [depHash]: oldDep },
  };
  writeFileSync(archivePath, buildPackage({ prefix: oldPrefix, members: pack.members, buildinfo }));
  return {
    name: "tool",
    version: "1.0",
    hash,
    archivePath,
    root: "/sw",
    prefixes: { [hash]: prefix, [depHash]: dep },
    relocationOrder: [hash, depHash],
    externals: [],
    generation: pack.generation ?? "1.x",
    options: { strip: false, sbang: "undo", metadata: false, ...pack.options },
    ...pack.request,
  };
}

export async function install(pack: Package) {
  const installed = installPackage(requestFor(pack));
  const files = new Map<string, Buffer>();
  const entries = [];
  for await (const entry of installed.entries) {
    if (entry.type === "file") files.set(entry.path, await readContent(entry));
    const { content: _, ...rest } = { content: undefined, ...entry };
    entries.push(rest);
  }
  return { entries, files, inventory: installed.inventory().entries };
}

export async function installText(
  member: TarMember,
  pack: Omit<Package, "members"> = {},
): Promise<string | undefined> {
  const { files } = await install({ members: [member], ...pack });
  return files.get(`${prefix.slice(1)}/${member.name}`)?.toString("latin1");
}

export const owner = { uid: 0, gid: 0, mtime: imageMtime };

export const at = (name: string): string => `${prefix.slice(1)}/${name}`;
