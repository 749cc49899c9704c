import { Command } from "commander";
import { imageForms } from "../../pipeline/images/imageForms.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import {
  addBarOptions,
  addCacheOptions,
  addSelectionOptions,
  type BarOptions,
  type CacheOptions,
} from "../options.ts";
import { resourcesRequest } from "../requests.ts";
import { resultLine } from "../resultLine.ts";

/** `diff`: two containers, locks or images by package. */
export function diffVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("diff")
    .summary("compare two containers, locks or images by package")
    .description(
      "Compares what goes into images: packages added, removed and changed, and how. For a container, compares what is locked, else the built image, else what the caches give now; lock:, image: or caches: before a name chooses between them. Without B, compares the built image of A with what a build would give now. The exit status is 0 whether there are differences or not.",
    )
    .argument("<a>", `before: a spack.lock; or ${imageForms}`)
    .argument("[b]", "after, in the same forms");
  addBarOptions(addSelectionOptions(command), "on a terminal");
  return addCacheOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers diff hello-mpi
  $ spacktainers diff lock:hello-mpi caches:hello-mpi
  $ spacktainers diff old/spack.lock dist/amd64/hello-mpi --json`,
    )
    .action(
      verbAction<CacheOptions & BarOptions & { arch?: string }>(
        program,
        outcome,
        async (context, options, [a = "", b]) => {
          const { diffImages } = await import("../../commands/diff/diffImages.ts");
          const differences = await diffImages({
            ...resourcesRequest(context, options),
            before: a,
            after: b,
            arch: options.arch,
          });
          context.reporter.close();
          if (context.json) context.print(resultLine("diff", differences));
          else {
            context.print((await import("../diffText.ts")).diffText(differences));
            const isDrawn = options.bars ?? context.output.isTTY;
            const { diffBars } = await import("../diffBars.ts");
            const drawn = isDrawn ? diffBars(differences, context.canvas) : undefined;
            if (drawn !== undefined) context.draw(drawn);
          }
          return 0;
        },
      ),
    );
}
