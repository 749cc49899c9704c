import type { RebaseResult } from "../commands/rebase/rebaseImages.ts";
import { shownPath } from "../util/shownPath.ts";
import { pushTable } from "./pushTable.ts";

/** What became of an image, for people. */
export function rebaseText(result: RebaseResult, directory: string): string {
  const { name, version, arch, base, changes, layers, pushed, outputs } = result;
  const head = `${name} ${version} ${arch}`;
  if (result.upToDate)
    return [
      `${head}  stands on ${base.before} as it is now  (up to date)`,
      ...(pushed.length === 0 ? [] : [pushTable(pushed)]),
    ].join("\n");
  const kept = `${layers} layer${layers === 1 ? "" : "s"} of packages kept`;
  const bases = base.before === base.after ? base.after : `${base.before} -> ${base.after}`;
  return [
    `${head}  ${bases}  ${kept}`,
    ...(changes === undefined
      ? ["  its OS packages are no longer known"]
      : changes.length === 0
        ? ["  the same OS packages"]
        : changes.map(changeText)),
    ...outputs.map(({ kind, path }) => `  ${kind}:${shownPath(path, directory)}`),
    ...(pushed.length === 0 ? [`  ${result.digest ?? "-"}`] : [pushTable(pushed)]),
  ].join("\n");
}

function changeText({ name, before, after }: NonNullable<RebaseResult["changes"]>[number]): string {
  if (before === undefined) return `  + ${name} ${after}`;
  if (after === undefined) return `  - ${name} ${before}`;
  return `    ${name} ${before} -> ${after}`;
}
