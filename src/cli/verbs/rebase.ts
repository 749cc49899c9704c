import { Command } from "commander";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addFailFastOption, addSelectionOptions, collect, type FailFastOptions } from "../options.ts";
import { printOutcomes } from "../outcomes.ts";
import { pushEntry } from "../pushTable.ts";

interface RebaseVerbOptions extends FailFastOptions {
  readonly arch?: string;
  readonly base?: string;
  readonly registry?: readonly string[];
  readonly tag?: readonly string[];
  readonly output?: readonly string[];
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly refresh?: boolean;
}

/** `rebase`: finished images on another base. */
export function rebaseVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("rebase")
    .summary("put the packages of finished images on a newer base")
    .description(
      "Takes the Spack packages of an image as they are and puts them on the base as it is now, or on another one. Neither build caches nor the definition are needed, and no package is downloaded: the image tells what is in it. It is refused when a library, a symbol version or an interpreter would no longer be found. IMAGE is a container's name (its published image; the built one where no registry is configured), a reference such as ghcr.io/my-org/name:1.0, the directory of an OCI layout, or oci-archive:FILE; none means all containers. The result goes where the image came from.",
    )
    .argument("[images...]", "images to rebase");
  return addFailFastOption(addSelectionOptions(command))
    .option(
      "--base <base>",
      "debian:SUITE, ubuntu:SUITE, image:NAME, oci:DIR, oci-archive:FILE, rootfs:FILE or scratch (default: the configured one)",
    )
    .option("--registry <url>", "only this configured registry (repeatable)", collect)
    .option(
      "--tag <tag>",
      "a tag besides the configured ones; of a reference, in place of its own (repeatable)",
      collect,
    )
    .option(
      "-o, --output <kind:path>",
      "write the image here in place of publishing it, as `build` does (repeatable)",
      collect,
    )
    .option("--force", "replace an output that is not an earlier one of ours")
    .option("--dry-run", "check, and tell what would change; publish and write nothing")
    .option("--refresh", "ask archives of OS packages for changes, however recently that was done")
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers rebase
  $ spacktainers rebase simulation --dry-run
  $ spacktainers rebase ghcr.io/my-org/spack-simulation:1.0 --base debian:trixie --tag 1.0-trixie
  $ spacktainers rebase dist/amd64/simulation --base image:docker.io/library/debian:12-slim`,
    )
    .action(
      verbAction<RebaseVerbOptions>(program, outcome, async (context, options, images) => {
        const { rebaseImages } = await import("../../commands/rebase/rebaseImages.ts");
        const outcomes = await rebaseImages({
          directory: context.directory,
          images,
          arch: options.arch,
          base: options.base,
          registries: options.registry ?? [],
          tags: options.tag ?? [],
          outputs: options.output ?? [],
          force: options.force === true,
          dryRun: options.dryRun === true,
          refresh: options.refresh === true,
          failFast: options.failFast === true,
          emit: context.reporter.emit,
          signal: context.signal,
        });
        context.reporter.close();
        const { rebaseText } = await import("../rebaseText.ts");
        printOutcomes(context, outcomes, {
          subject: (_, image) => ({ image }),
          json: (results) => results.map(({ pushed, ...one }) => ({ ...one, pushed: pushed.map(pushEntry) })),
          text: (results) => results.map((one) => rebaseText(one, context.directory)).join("\n"),
          errors: (results) => results.flatMap(({ pushed }) => pushed.flatMap(({ errors }) => errors)),
        });
        return 0;
      }),
    );
}
