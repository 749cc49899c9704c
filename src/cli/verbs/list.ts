import { Command } from "commander";
import type { ListedContainer } from "../../commands/list/listContainers.ts";
import { counted } from "../../util/counted.ts";
import { formatBytes } from "../../util/formatBytes.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addSelectionOptions } from "../options.ts";
import { resultLine } from "../resultLine.ts";
import { table } from "../table.ts";

/** `list`: the containers of the repository. */
export function listVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("list")
    .summary("list containers by architecture")
    .description(
      "Lists the containers of the repository: what they contain, and whether an image of them is built. With --remote it also asks the build caches which version a build would have now, and the registries what is published.",
    )
    .argument("[names...]", "containers to list (default: all)");
  return addSelectionOptions(command)
    .option("--remote", "also ask the build caches and the registries")
    .addHelpText(
      "after",
      "\nExamples:\n  $ spacktainers list\n  $ spacktainers list 'neuro*' --arch amd64 --json\n  $ spacktainers list --remote",
    )
    .action(
      verbAction<{ arch?: string; remote?: boolean }>(program, outcome, async (context, options, names) => {
        const { listContainers } = await import("../../commands/list/listContainers.ts");
        const { directory, signal, reporter } = context;
        const ask = options.remote === true ? { emit: reporter.emit, signal } : undefined;
        const containers = await listContainers({ directory, names, arch: options.arch, ask });
        reporter.close();
        if (context.json) context.print(resultLine("list", { containers }));
        else if (containers.length === 0)
          context.print("no containers here; definitions are container_definitions/<arch>/<name>/spack.yaml");
        else {
          const published = ask === undefined ? [] : ["PUBLISHED"];
          const head = ["NAME", "ARCH", "VERSION", "LOCK", "IMAGE", ...published, "SPECS"];
          context.print(
            table(
              head,
              containers.map((one) => row(one, ask !== undefined)),
            ),
          );
        }
        return 0;
      }),
    );
}

function row(container: ListedContainer, isAsked: boolean): readonly string[] {
  const notes = [
    ...(container.parked ? ["parked"] : []),
    ...(container.problems > 0 ? ["has errors: run check"] : []),
    ...(container.warnings === 0 ? [] : [counted(container.warnings, "warning")]),
  ];
  const specs = container.kind === "def" ? `from ${container.from ?? "?"}` : container.specs.join(", ");
  return [
    container.name,
    container.arch ?? "-",
    container.version ?? "-",
    container.locked ? "yes" : "-",
    imageText(container),
    ...(isAsked ? [publishedText(container)] : []),
    notes.length === 0 ? specs : `${specs}  (${notes.join(", ")})`.trimStart(),
  ];
}

/** The size of the built image, and whether it is what the lock says. */
function imageText({ image, outOfDate }: ListedContainer): string {
  if (image === undefined) return "-";
  return `${formatBytes(image.size)}${outOfDate === true ? ", out of date" : ""}`;
}

/** The versions that are published, each once; what has none is called by its digest. */
function publishedText({ published = [] }: ListedContainer): string {
  const versions = published.map(({ version, digest }) => version ?? digest.slice(0, "sha256:".length + 12));
  return [...new Set(versions)].join(", ") || "-";
}
