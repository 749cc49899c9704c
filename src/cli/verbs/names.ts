import { Argument, Command } from "commander";
import { escapeControls } from "../../util/escapeControls.ts";
import { type VerbOutcome, verbAction } from "../context.ts";

/** `names`: what a shell may propose, one a line; hidden. Where a repository cannot be read there is nothing to propose. */
export function namesVerb(program: Command, outcome: VerbOutcome): Command {
  return new Command("names")
    .description("Prints names for the completion of a command line.")
    .addArgument(new Argument("<kind>").choices(["containers", "sites", "caches"]))
    .action(
      verbAction<object>(program, outcome, async (context, _options, [kind]) => {
        const { listNames, nameKinds } = await import("../../commands/names/listNames.ts");
        const asked = nameKinds.find((known) => known === kind) ?? "containers";
        const names = await listNames(context.directory, asked).catch(() => []);
        // A name with control characters cannot be typed either.
        for (const name of names) if (escapeControls(name) === name) context.print(name);
        return 0;
      }),
    );
}
