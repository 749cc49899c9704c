import type { PushResult } from "../commands/push/pushContainers.ts";
import { formatBytes } from "../util/formatBytes.ts";
import { table } from "./table.ts";

/** What became of images in registries, for people. */
export function pushTable(results: readonly PushResult[]): string {
  return table(["IMAGE", "ARCH", "TAGS", "LAYERS", "SENT", "DIGEST"], results.map(row));
}

function row(result: PushResult): readonly string[] {
  const { layers } = result;
  const reused = layers.referenced + layers.present + layers.mounted;
  const what =
    result.error !== undefined
      ? "failed"
      : result.upToDate
        ? "up to date"
        : `${layers.uploaded} new, ${reused} there`;
  return [
    result.repository,
    result.arch,
    result.tags.join(" "),
    what,
    formatBytes(result.bytesSent),
    result.digest ?? "-",
  ];
}
