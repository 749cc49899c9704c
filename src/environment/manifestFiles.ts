/** The files that a manifest consists of. */
import { dirname, join, resolve } from "node:path";
import { yamlLimits } from "../definitions/positionedYaml.ts";
import { problemList } from "../definitions/problems.ts";
import { readTextFile } from "../definitions/repository.ts";
import { collectScopes } from "./collectScopes.ts";
import { conditionMachine, type ManifestOptions, parseManifest } from "./manifest.ts";
import { expandPath } from "./pathVariables.ts";
import { plainKey } from "./yamlReader.ts";

/**
 * Absolute paths of a manifest, of the files and folders of this machine that it includes, and of the manifests and locks of the
 * environments that are part of it. What cannot be read includes nothing: whoever uses the manifest says why.
 *
 * @param file path of the manifest
 * @returns without repeats, the manifest first
 */
export async function manifestFiles(file: string, options: ManifestOptions = {}): Promise<readonly string[]> {
  const found = new Set<string>();
  await collect(resolve(file), options, found);
  return [...found];
}

async function collect(path: string, options: ManifestOptions, found: Set<string>): Promise<void> {
  if (found.has(path)) return;
  found.add(path);
  const text = await readTextFile(path, yamlLimits.bytes).catch(() => undefined);
  if (text === undefined) return;
  const { manifest } = parseManifest(text, path);
  if (manifest === undefined) return;
  const machine = conditionMachine(options, options.dialect ?? "1.x");
  const scopes = await collectScopes({ problems: problemList(), machine }, { ...manifest, path });
  for (const scope of scopes) found.add(scope.path);
  const section = manifest.sections.entries.find(({ key }) => plainKey(key) === "include_concrete")?.value;
  for (const item of section?.kind === "list" ? section.items : []) {
    if (item.kind !== "scalar") continue;
    const folder = resolve(dirname(path), expandPath(item.text, machine).path);
    found.add(join(folder, "spack.lock"));
    await collect(join(folder, "spack.yaml"), options, found);
  }
}
