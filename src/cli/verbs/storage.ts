import { Command, InvalidArgumentError } from "commander";
import type { Storage } from "../../commands/storage/tidyStorage.ts";
import { formatBytes } from "../../util/formatBytes.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { resultLine } from "../resultLine.ts";
import { table } from "../table.ts";

interface StorageOptions {
  readonly unused?: number;
  readonly delete?: boolean;
}

/** `storage`: what is kept on this machine. */
export function storageVerb(program: Command, outcome: VerbOutcome): Command {
  return new Command("storage")
    .summary("show and tidy the files that spacktainers keeps on this machine")
    .description(
      "Shows the files that spacktainers keeps in $XDG_CACHE_HOME/spacktainers (by default ~/.cache/spacktainers), part by part. It can make all of them again. With --unused, shows files that were not used for that many days; with --delete, removes them. Keeps files that are in use. Keeps `spack`, `epilogue`, `outputs` and `run`, unless you name them.",
    )
    .argument("[parts...]", "parts, as they are listed (default: all)")
    .option(
      "--unused <days>",
      "show files that were not used for this many days; 0: all that are not in use",
      days,
    )
    .option("--delete", "with --unused: remove these files")
    .addHelpText(
      "after",
      "\nExamples:\n  $ spacktainers storage\n  $ spacktainers storage --unused 30 --delete\n  $ spacktainers storage rootfs --unused 0 --delete",
    )
    .action(
      verbAction<StorageOptions>(program, outcome, async (context, options, parts) => {
        const { SpacktainersError } = await import("../../util/errors.ts");
        if (options.delete === true && options.unused === undefined)
          throw new SpacktainersError("USAGE", "--delete needs --unused, which says what to remove", {
            hint: "--unused 30 --delete removes what was not used for a month",
          });
        const { tidyStorage } = await import("../../commands/storage/tidyStorage.ts");
        const storage = await tidyStorage({
          parts,
          unusedDays: options.unused,
          remove: options.delete === true,
        });
        if (context.json) context.print(resultLine("storage", storage));
        else for (const line of storageLines(storage, options.unused !== undefined)) context.print(line);
        return 0;
      }),
    );
}

function days(value: string): number {
  if (!/^\d{1,5}$/.test(value)) throw new InvalidArgumentError("It is not a number of days.");
  return Number(value);
}

function storageLines({ directory, parts, removed }: Storage, isAsked: boolean): readonly string[] {
  if (parts.length === 0) return [`nothing is kept in ${directory}`];
  const total = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  const head = ["PART", "SIZE", "ITEMS", "LAST USED", ...(isAsked ? ["UNUSED"] : []), "WHAT"];
  const rows = parts.map(({ name, what, items, bytes, lastUsed, unused }) => [
    name,
    formatBytes(bytes),
    String(items),
    lastUsed === undefined ? "-" : new Date(lastUsed).toISOString().slice(0, 10),
    ...(isAsked ? [unused.items === 0 ? "-" : formatBytes(unused.bytes)] : []),
    what ?? "of another version",
  ]);
  const unused = parts.reduce((sum, part) => sum + part.unused.bytes, 0);
  const last =
    removed !== undefined
      ? [`removed ${formatBytes(removed.bytes)}`]
      : isAsked
        ? [`${formatBytes(unused)} would be removed; remove it with --delete`]
        : [];
  return [table(head, rows), `${formatBytes(total)} in ${directory}`, ...last];
}
