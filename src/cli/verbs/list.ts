import { Command } from "commander";
import type { ListedContainer } from "../../commands/list/listContainers.ts";
import { formatBytes } from "../../util/formatBytes.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addSelectionOptions } from "../options.ts";
import { table } from "../table.ts";

/** `list`: the containers of the repository. */
export function listVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("list")
    .summary("list containers by architecture")
    .description(
      "Lists the containers of the repository: what they contain, and whether an image of them is built.",
    )
    .argument("[names...]", "containers to list (default: all)");
  return addSelectionOptions(command)
    .addHelpText(
      "after",
      "\nExamples:\n  $ spacktainers list\n  $ spacktainers list 'neuro*' --arch amd64 --json",
    )
    .action(
      verbAction<{ arch?: string }>(program, outcome, async (context, options, names) => {
        const { listContainers } = await import("../../commands/list/listContainers.ts");
        const containers = await listContainers({ directory: context.directory, names, arch: options.arch });
        if (context.json) context.print(JSON.stringify({ type: "result", containers }));
        else if (containers.length === 0)
          context.print("no containers here; definitions are container_definitions/<arch>/<name>/spack.yaml");
        else context.print(table(["NAME", "ARCH", "VERSION", "IMAGE", "SPECS"], containers.map(row)));
        return 0;
      }),
    );
}

function row(container: ListedContainer): readonly string[] {
  const image = container.image === undefined ? "-" : formatBytes(container.image.size);
  const notes = [
    ...(container.parked ? ["parked"] : []),
    ...(container.problems > 0 ? ["has errors: run check"] : []),
  ];
  const specs = container.kind === "def" ? `from ${container.from ?? "?"}` : container.specs.join(", ");
  return [
    container.name,
    container.arch ?? "-",
    container.version ?? "-",
    image,
    notes.length === 0 ? specs : `${specs}  (${notes.join(", ")})`.trimStart(),
  ];
}
