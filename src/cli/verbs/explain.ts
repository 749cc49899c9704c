import { Command, Option } from "commander";
import { otherImageForms } from "../../pipeline/images/imageForms.ts";
import { shownPath } from "../../util/shownPath.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import {
  addCacheOptions,
  addSelectionOptions,
  type CacheOptions,
  collect,
  positiveInteger,
} from "../options.ts";
import { expectPageFile } from "../pageFile.ts";
import { resourcesRequest } from "../requests.ts";
import { resultLine } from "../resultLine.ts";

interface ExplainOptions extends CacheOptions {
  readonly arch?: string;
  readonly affects?: readonly string[];
  readonly graph?: "dot" | "mermaid" | "svg";
  readonly html?: string;
  readonly limit: number;
}

/** `explain`: why a package is in a container, and why it is what it is. */
export function explainVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("explain")
    .summary("explain why a container has a package, and why in this configuration")
    .description(
      "Shows the packages of a container: those of its lock, or without a lock, those that the caches give now. For an image in another form, shows the packages of the lock inside the image. For each PACKAGE (a name, a virtual package or a spec), shows why it is there, which configurations the caches have and why they were not chosen, and whether it is available.",
    )
    .argument("[name]", `a container; or ${otherImageForms}`)
    .argument("[packages...]", "packages in it (default: the container as a whole)");
  addSelectionOptions(command)
    .option(
      "--affects <package>",
      "list the containers of the repository that have this package (repeatable)",
      collect,
    )
    .addOption(
      new Option("--graph <format>", "print the dependency graph instead").choices(["dot", "mermaid", "svg"]),
    )
    .addOption(
      new Option("--html <file>", "write a page with the dependency graph, to pan and zoom").conflicts([
        "graph",
        "affects",
      ]),
    )
    .option("--limit <n>", "examine at most this many configurations of a package", positiveInteger, 20);
  return addCacheOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers explain hello-mpi
  $ spacktainers explain hello-mpi mpich gcc-runtime
  $ spacktainers explain docker://ghcr.io/my-org/hello-mpi:1.0.0 mpich
  $ spacktainers explain hello-mpi --graph svg > hello-mpi.svg
  $ spacktainers explain hello-mpi --html hello-mpi.html
  $ spacktainers explain --affects mpich@4.0`,
    )
    .action(
      verbAction<ExplainOptions>(program, outcome, async (context, options, [name, ...packages]) => {
        const { close } = context.reporter;
        const request = {
          ...resourcesRequest(context, options),
          arch: options.arch,
        };
        const text = await import("../explainText.ts");
        if (options.affects !== undefined) {
          const { affectedContainers } = await import("../../commands/explain/affectedContainers.ts");
          const names = name === undefined ? [] : [name, ...packages];
          const affected = await affectedContainers(request, names, options.affects);
          close();
          context.print(context.json ? resultLine("explain", affected) : text.affectedText(affected));
          return 0;
        }
        if (name === undefined) {
          const { SpacktainersError } = await import("../../util/errors.ts");
          throw new SpacktainersError("USAGE", "explain needs the name of a container", {
            hint: "spacktainers explain NAME [PACKAGE…], or --affects PACKAGE",
          });
        }
        const { directory } = context;
        const page =
          options.html === undefined ? undefined : await expectPageFile(directory, options.html, "--html");
        const { explainPackages } = await import("../../commands/explain/explainPackages.ts");
        const container = await explainPackages(request, name, packages, options.limit);
        close();
        if (page !== undefined) {
          const { writeGraphPage } = await import("../../commands/catalogue/writeGraphPage.ts");
          await writeGraphPage(page, container);
          const file = shownPath(page, directory);
          context.print(context.json ? resultLine("explain", { format: "html", file: page }) : file);
        } else if (options.graph !== undefined) {
          const drawn = await drawGraph(container.graph, options.graph);
          context.print(
            context.json ? resultLine("explain", { format: options.graph, graph: drawn }) : drawn.trimEnd(),
          );
        } else if (context.json) context.print(resultLine("explain", container));
        else if (packages.length === 0) context.print(text.overviewText(container));
        else
          context.print(
            [...container.explanations.map(text.packageText), ...container.absent.map(text.absentText)].join(
              "\n\n",
            ),
          );
        return 0;
      }),
    );
}

type Graph = import("../../catalogue/graph/dependencyGraph.ts").DependencyGraph;

async function drawGraph(graph: Graph, format: "dot" | "mermaid" | "svg"): Promise<string> {
  if (format === "svg") return (await import("../../catalogue/graph/dependencyGraphSvg.ts")).svgGraph(graph);
  const { dotGraph, mermaidGraph } = await import("../../catalogue/graph/dependencyGraphText.ts");
  return format === "dot" ? dotGraph(graph) : mermaidGraph(graph);
}
