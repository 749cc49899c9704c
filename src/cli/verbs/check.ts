import { Command } from "commander";
import { formatPlace, type SpacktainersError } from "../../util/errors.ts";
import { shownPath } from "../../util/shownPath.ts";
import { type VerbContext, type VerbOutcome, verbAction } from "../context.ts";
import { errorEntry } from "../errorText.ts";
import { addSelectionOptions } from "../options.ts";
import { resultLine } from "../resultLine.ts";

/** `check`: every problem in every definition and configuration file, in one run. */
export function checkVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("check")
    .summary("report every problem in the definitions and the configuration")
    .description(
      "Reads spacktainers.yaml and the definitions, or those that you name, and reports every problem as file:line:column. Needs no network. The exit status is 3 if there are errors.",
    )
    .argument("[names...]", "containers to check (default: all)");
  return addSelectionOptions(command)
    .addHelpText("after", "\nExamples:\n  $ spacktainers check\n  $ spacktainers check hello-mpi --json")
    .action(
      verbAction<{ arch?: string }>(program, outcome, async (context, options, names) => {
        const { checkDefinitions } = await import("../../commands/check/checkDefinitions.ts");
        const { errors, warnings, checked } = await checkDefinitions({
          directory: context.directory,
          names,
          arch: options.arch,
        });
        if (context.json) {
          context.print(
            resultLine("check", {
              checked,
              errors: errors.map(errorEntry),
              warnings: warnings.map(errorEntry),
            }),
          );
        } else {
          for (const warning of warnings) context.print(problemLine(context, warning, "warning"));
          for (const error of errors) context.print(problemLine(context, error, "error"));
          const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
          context.print(
            `${count(checked, "file")} checked: ${count(errors.length, "error")}, ${count(warnings.length, "warning")}`,
          );
        }
        return errors.length === 0 ? 0 : 3;
      }),
    );
}

/** `file:line:column  error CODE  message`, and the hint on a line of its own. */
function problemLine(context: VerbContext, problem: SpacktainersError, kind: "error" | "warning"): string {
  const place =
    problem.place.file === undefined
      ? problem.place
      : { ...problem.place, file: shownPath(problem.place.file, context.directory) };
  const where = formatPlace(place);
  const hint = problem.hint === undefined ? "" : `\n    hint: ${problem.hint}`;
  return `${where === "" ? "" : `${where}  `}${kind}  ${problem.code}  ${problem.message}${hint}`;
}
