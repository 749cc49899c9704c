import { Argument, Command } from "commander";
import { schemaNames } from "../../definitions/schemaNames.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { resultLine } from "../resultLine.ts";

/** `schema`: the JSON Schemas that editors complete and check with. */
export function schemaVerb(program: Command, outcome: VerbOutcome): Command {
  return new Command("schema")
    .summary("print the JSON Schema of a configuration file, for editors")
    .description(
      "Prints the JSON Schema of spacktainers.yaml, of the files in sites/, or of test.yaml. With it, an editor completes these files and marks mistakes.",
    )
    .addArgument(new Argument("[which]", "file to describe").choices(schemaNames).default("spacktainers"))
    .addHelpText(
      "after",
      "\nExamples:\n  $ spacktainers schema > schema/spacktainers.json\n  $ spacktainers schema site > schema/site.json",
    )
    .action(
      verbAction<object>(program, outcome, async (context, _options, [which]) => {
        const { jsonSchema } = await import("../../definitions/jsonSchema.ts");
        const text = jsonSchema(schemaNames.find((name) => name === which) ?? "spacktainers");
        if (context.json) context.print(resultLine("schema", { schema: JSON.parse(text) }));
        else context.print(text.trimEnd());
        return 0;
      }),
    );
}
