import type { PushResult } from "../commands/push/moveTags.ts";
import { formatBytes } from "../util/formatBytes.ts";
import { errorEntry } from "./errorText.ts";
import { table } from "./table.ts";
import type { PushEntry } from "./verbResults.ts";

/** What became of images in registries, for people. */
export function pushTable(results: readonly PushResult[]): string {
  return table(["IMAGE", "ARCH", "TAGS", "LAYERS", "SENT", "DIGEST"], results.map(row));
}

/** What became of an image in a registry, for programs. */
export function pushEntry({ errors, skipped, ...result }: PushResult): PushEntry {
  return {
    ...result,
    failed: errors.length > 0,
    ...(errors.length === 0 ? {} : { errors: errors.map(errorEntry) }),
    ...(skipped ? { skipped } : {}),
  };
}

function row(result: PushResult): readonly string[] {
  const { layers } = result;
  const reused = layers.referenced + layers.present + layers.mounted;
  const what = result.skipped
    ? "not tried"
    : result.errors.length > 0
      ? "failed"
      : result.upToDate
        ? "up to date"
        : `${layers.uploaded} new, ${reused} there`;
  return [
    result.repository,
    result.arch ?? "-",
    result.tags.join(" "),
    what,
    formatBytes(result.bytesSent),
    result.digest ?? "-",
  ];
}
