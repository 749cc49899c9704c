import { Command, InvalidArgumentError, Option } from "commander";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addCacheOptions, type CacheOptions, collect } from "../options.ts";
import { cacheRequest } from "../requests.ts";
import { resultLine, verbLine } from "../resultLine.ts";

interface PruneOptions extends CacheOptions {
  readonly keep?: readonly string[];
  readonly keepSpec?: readonly string[];
  readonly images: boolean;
  readonly grace: number;
  readonly runtimeOnly?: boolean;
  readonly allowEmpty?: boolean;
  readonly delete?: boolean;
}

/** Parses hours; a part of one is allowed. */
function hours(value: string): number {
  const number = Number(value);
  if (value.trim() === "" || !Number.isFinite(number) || number < 0)
    throw new InvalidArgumentError("not a number of hours");
  return number;
}

/** `cache prune`: what nothing needs any more. */
export function cachePruneVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("prune")
    .summary("remove packages that nothing needs any more")
    .description(
      "Lists the packages of the caches that nothing needs, and with --delete removes them. Keeps the packages that the locks of this repository name (without a lock: those that would be chosen now), that its published images contain, that --keep and --keep-spec name, and that are younger than --grace, and everything that any of these depend on. Without --cache, works on the configured caches that have `push: true`.",
    )
    .option(
      "--keep <what>",
      "keep the packages of another repository's folder, a spack.lock, or an image (repeatable)",
      collect,
    )
    .option(
      "--keep-spec <spec>",
      "keep the packages that satisfy SPEC, with what they need (repeatable)",
      collect,
    )
    .option("--no-images", "do not ask the registries which images are published")
    .option(
      "--grace <hours>",
      "keep packages younger than this: they may be part of a push in progress",
      hours,
      24,
    )
    .option("--runtime-only", "do not keep packages that are needed only to build others")
    .option("--allow-empty", "continue even if nothing names packages to keep")
    .option("--delete", "remove the listed packages")
    .addOption(
      new Option("-n, --dry-run", "only show what would be removed (the default)").conflicts("delete"),
    );
  return addCacheOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers cache prune
  $ spacktainers cache prune --keep ../other-containers --keep docker://ghcr.io/my-org/tool:1.0 --delete
  $ spacktainers cache prune --cache s3://group-cache --keep-spec 'hdf5@1.14:' --grace 72 --json`,
    )
    .action(
      verbAction<PruneOptions>(program, outcome, async (context, options) => {
        const { pruneCaches } = await import("../../commands/cache/pruneCaches.ts");
        const { pruneOutcomeText, prunePlanText } = await import("../cacheText.ts");
        const { errorJson, errorLines } = await import("../errorText.ts");
        const remove = options.delete === true;
        const outcomes = await pruneCaches(
          {
            ...cacheRequest(context, options),
            keep: options.keep ?? [],
            keepSpecs: options.keepSpec ?? [],
            images: options.images,
            grace: options.grace,
            runtimeOnly: options.runtimeOnly === true,
            allowEmpty: options.allowEmpty === true,
            remove,
          },
          (plan) => {
            context.reporter.close();
            if (context.json) {
              const problems = plan.problems.flatMap((problem) => errorJson(problem).errors);
              context.print(verbLine("cache prune", { type: "plan", ...plan, problems }));
            } else {
              context.print(prunePlanText(plan));
              if (!remove) for (const problem of plan.problems) context.print(errorLines(problem, false));
            }
          },
        );
        context.reporter.close();
        if (context.json) context.print(resultLine("cache prune", { removed: remove, caches: outcomes }));
        else
          context.print(
            remove
              ? pruneOutcomeText(outcomes)
              : "nothing was removed; to remove the listed packages, add --delete",
          );
        return 0;
      }),
    );
}
