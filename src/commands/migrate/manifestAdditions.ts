import { Document, isMap, parseDocument } from "yaml";
import type { Place } from "../../util/errors.ts";
import type { FindingList } from "./migration.ts";

/**
 * A manifest with the specs and settings of command lines added to it.
 *
 * @param text the manifest; undefined: a new one
 * @param settings of `spack config add`: `packages:all:target:[x86_64_v3]`
 */
export function withAdditions(
  text: string | undefined,
  specs: readonly string[],
  settings: readonly { readonly text: string; readonly place: Place }[],
  list: FindingList,
): string {
  if (text !== undefined && specs.length === 0 && settings.length === 0) return text;
  const document = text === undefined ? new Document({ spack: { specs: [] } }) : parseDocument(text);
  if (!isMap(document.contents)) return text ?? "";
  const known = document.getIn(["spack", "specs"]);
  if (known === undefined || known === null) document.setIn(["spack", "specs"], document.createNode([]));
  for (const spec of specs) document.addIn(["spack", "specs"], spec);
  if (text === undefined) document.setIn(["spack", "concretizer"], document.createNode({ unify: true }));
  for (const { text: setting, place } of settings) {
    const path = settingPath(setting);
    if (path === undefined) {
      list.todo(`the setting ${setting} is not understood: write it into the definition`, place);
      continue;
    }
    const [keys, value] = path;
    try {
      document.setIn(["spack", ...keys], parseDocument(value).contents);
      list.taken(`the setting ${setting}`, place);
    } catch {
      list.todo(`the setting ${setting} does not fit: write it into the definition`, place);
    }
  }
  return document.toString({ lineWidth: 0 });
}

/** Spack's path of keys: separated by colons, the last part a value; quoted parts keep their colons. */
export function settingPath(text: string): readonly [keys: readonly string[], value: string] | undefined {
  const parts = text.match(/(?:"[^"]*"|'[^']*'|\[[^\]]*\]|\{[^}]*\}|[^:"'[{])+/g);
  if (parts === null || parts.length < 2 || parts.join(":") !== text) return undefined;
  const keys = parts.slice(0, -1).map((part) => part.replace(/^(["'])(.*)\1$/, "$2"));
  return [keys, parts.at(-1) ?? ""];
}
