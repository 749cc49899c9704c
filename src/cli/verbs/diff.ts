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
      "Compares the contents of two images: which packages were added, removed and changed, and how. For a container, compares the lock; without a lock, the built image; without an image, the packages that the caches give now. To choose one of these, put lock:, image: or caches: before the name. Without B, compares the built image of A with the result of a build now. The exit status is 0 even if there are differences.",
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
