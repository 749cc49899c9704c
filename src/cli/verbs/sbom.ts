import { Command, Option } from "commander";
import { imageForms } from "../../pipeline/images/imageForms.ts";
import { shownPath } from "../../util/shownPath.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addCacheOptions, addSelectionOptions, type CacheOptions } from "../options.ts";
import { resourcesRequest } from "../requests.ts";
import { resultLine } from "../resultLine.ts";

interface SbomOptions extends CacheOptions {
  readonly arch?: string;
  readonly format: "spdx" | "cyclonedx";
  readonly output?: string;
}

/** `sbom`: what is inside an image, for scanners. */
export function sbomVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("sbom")
    .summary("write the bill of materials of an image")
    .description(
      "Writes the bill of materials of an image: Spack packages with variants, checksums and dependencies, OS packages, and the layer of each. If a container is not built, chooses its packages without building it.",
    )
    .argument("<image>", imageForms)
    .addOption(
      new Option("--format <format>", "SPDX 2.3 or CycloneDX 1.6, as JSON")
        .choices(["spdx", "cyclonedx"])
        .default("spdx"),
    )
    .option("-o, --output <file>", "file to write (default: standard output)");
  addSelectionOptions(command);
  return addCacheOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers sbom hello-mpi
  $ spacktainers sbom hello-mpi --format cyclonedx --output hello-mpi.cdx.json
  $ spacktainers sbom dist/amd64/hello-mpi | grype`,
    )
    .action(
      verbAction<SbomOptions>(program, outcome, async (context, options, [image = ""]) => {
        const { billOfMaterials } = await import("../../commands/sbom/billOfMaterials.ts");
        const { text, ...result } = await billOfMaterials({
          ...resourcesRequest(context, options),
          image,
          arch: options.arch,
          format: options.format,
          output: options.output,
        });
        context.reporter.close();
        if (context.json) {
          const document = result.file === undefined ? { document: JSON.parse(text) } : {};
          context.print(resultLine("sbom", { ...result, ...document }));
        } else if (result.file === undefined) context.print(text.trimEnd());
        else
          context.print(
            result.packages === undefined
              ? shownPath(result.file, context.directory)
              : `${result.packages} Spack packages, ${result.osPackages} OS packages in ${shownPath(result.file, context.directory)}`,
          );
        return 0;
      }),
    );
}
