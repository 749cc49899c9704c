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
    .summary("put the packages of existing images on a newer base")
    .description(
      "Takes the Spack packages of an image unchanged and puts them on the current base, or on another one. Needs no build cache and no definition, and downloads no package: the image describes its own contents. Fails if the new base lacks a library, a symbol version or an interpreter that the packages need. IMAGE is a container's name (its published image; the built one if no registry is configured), a reference such as ghcr.io/my-org/name:1.0, the directory of an OCI layout, or oci-archive:FILE. Without an IMAGE, rebases all containers. The result goes to the place that the image came from.",
    )
    .argument("[images...]", "images to rebase");
  return addFailFastOption(addSelectionOptions(command))
    .option(
      "--base <base>",
      "debian:SUITE, ubuntu:SUITE, image:NAME, oci:DIR, oci-archive:FILE, rootfs:FILE or scratch (default: the configured one)",
    )
    .option("--registry <url>", "use only this configured registry (repeatable)", collect)
    .option(
      "--tag <tag>",
      "add a tag to the configured ones; for a reference, replace its tag (repeatable)",
      collect,
    )
    .option(
      "-o, --output <kind:path>",
      "write the image here, as `build` does, and do not publish it (repeatable)",
      collect,
    )
    .option("--force", "replace an output that spacktainers did not make")
    .option("--dry-run", "only show what would change; publish and write nothing")
    .option("--refresh", "ask the archives of OS packages for changes, even if they were asked recently")
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
          verb: "rebase",
          subject: (_, image) => ({ image }),
          json: (results) => results.map(({ pushed, ...one }) => ({ ...one, pushed: pushed.map(pushEntry) })),
          text: (results) => results.map((one) => rebaseText(one, context.directory)).join("\n"),
          errors: (results) => results.flatMap(({ pushed }) => pushed.flatMap(({ errors }) => errors)),
        });
        return 0;
      }),
    );
}
