import { Command } from "commander";
import { SpacktainersErrors } from "../../util/errors.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import {
  addCacheOptions,
  addSelectionOptions,
  type CacheOptions,
  collect,
  positiveInteger,
} from "../options.ts";
import { pushTable } from "../pushTable.ts";

interface PushOptions extends CacheOptions {
  readonly arch?: string;
  readonly registry?: readonly string[];
  readonly tag?: readonly string[];
  readonly strip: boolean;
  readonly keepMetadata?: boolean;
  readonly allowUnresolved?: readonly string[];
  readonly frozen?: boolean;
  readonly force?: boolean;
  readonly jobs?: number;
}

/** `push`: images into the registries. */
export function pushVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("push")
    .summary("publish images to the configured registries")
    .description(
      "Publishes each container to every registry of the configuration and moves its tags. What a registry has already - the image, its layers, layers of other containers - is referred to: it is neither made nor sent. NAME is a container's name, a path, or a glob; none means all.",
    )
    .argument("[names...]", "containers to publish");
  addSelectionOptions(command)
    .option("--registry <url>", "only this configured registry (repeatable)", collect)
    .option("--tag <tag>", "a tag besides the configured ones (repeatable)", collect)
    .option("--no-strip", "keep debug sections and symbol tables")
    .option("--keep-metadata", "keep the packages' .spack folders")
    .option(
      "--allow-unresolved <name>",
      "library or interpreter that may be missing in the image (repeatable)",
      collect,
    )
    .option("--frozen", "refuse to publish anything else than what the locks beside the definition say")
    .option("--force", "make and push the image although the registry has it")
    .option("-j, --jobs <n>", "packages at a time (default: one a core)", positiveInteger);
  return addCacheOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers push simulation
  $ spacktainers push --frozen
  $ spacktainers push 'neuro*' --registry ghcr.io/my-org --tag nightly`,
    )
    .action(
      verbAction<PushOptions>(program, outcome, async (context, options, names) => {
        const { pushContainers } = await import("../../pipeline/pushContainers.ts");
        const results = await pushContainers({
          directory: context.directory,
          names,
          arch: options.arch,
          registries: options.registry ?? [],
          tags: options.tag ?? [],
          strip: options.strip ? undefined : false,
          keepMetadata: options.keepMetadata === true,
          allowUnresolved: options.allowUnresolved ?? [],
          frozen: options.frozen === true,
          force: options.force === true,
          caches: options.cache ?? [],
          trust: options.trust ?? [],
          refresh: options.refresh === true,
          jobs: options.jobs,
          emit: context.reporter.emit,
          signal: context.signal,
        });
        context.reporter.close();
        if (context.json)
          for (const { error, ...result } of results)
            context.print(JSON.stringify({ type: "result", ...result, failed: error !== undefined }));
        else context.print(pushTable(results));
        const errors = results.flatMap(({ error }) => (error === undefined ? [] : [error]));
        if (errors.length > 0) throw new SpacktainersErrors([...new Set(errors)]);
        return 0;
      }),
    );
}
