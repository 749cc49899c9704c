import { Command } from "commander";
import { resultsOf } from "../../pipeline/workspace/outcomes.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import {
  addBarOptions,
  addCacheOptions,
  addImageOptions,
  addSolveOptions,
  type BarOptions,
  type BuildingOptions,
  type CacheOptions,
  type ImageOptions,
} from "../options.ts";
import { printContainers } from "../outcomes.ts";
import { buildingRequest, imageRequest } from "../requests.ts";

interface PlanOptions
  extends ImageOptions,
    CacheOptions,
    BarOptions,
    Pick<BuildingOptions, "solve" | "fresh"> {
  readonly registry: boolean;
}

/** `plan`: what a build would do, before it does it. */
export function planVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("plan")
    .summary("show what a build would do, and why")
    .description(
      "Chooses the packages of each container as `build` would. Shows which layers this machine already has, which layers a build would make and why, and how much it would download. If registries are configured, asks them which layers they have and shows what `push` would send. For packages that no cache has, shows how long building them would take. Builds nothing, and downloads only metadata. Only `build` checks whether the image can run. Give `plan` the options that you would give to `build`.",
    )
    .argument("[names...]", "containers to plan for (default: all)");
  addSolveOptions(addImageOptions(command, "plan")).option(
    "--no-registry",
    "do not ask the configured registries",
  );
  addBarOptions(command, "for one container, on a terminal");
  return addCacheOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers plan hello-mpi
  $ spacktainers plan 'neuro*' --arch amd64
  $ spacktainers plan simulation --solve
  $ spacktainers plan simulation --bars | less
  $ spacktainers plan --frozen --json`,
    )
    .action(
      verbAction<PlanOptions>(program, outcome, async (context, options, names) => {
        const { planContainers } = await import("../../commands/plan/planContainers.ts");
        const outcomes = await planContainers({
          ...imageRequest(context, options, names),
          building: buildingRequest(options),
          registry: options.registry,
        });
        context.reporter.close();
        const { buildPlanText, planText, planTotalText } = await import("../planText.ts");
        const plans = resultsOf(outcomes).flatMap((plan) => ("build" in plan ? [] : [plan]));
        const { planBars } = await import("../planBars.ts");
        const { canvas, output } = context;
        const isDrawn = options.bars ?? (outcomes.length === 1 && output.isTTY);
        const total = context.json || plans.length < 2 ? undefined : planTotalText(plans);
        printContainers(context, outcomes, {
          verb: "plan",
          json: (plan) => plan,
          text: (plan) => ("build" in plan ? buildPlanText(plan) : planText(plan)),
          drawing: (plan) => (isDrawn && !("build" in plan) ? planBars(plan, canvas) : undefined),
          last: total,
        });
        return 0;
      }),
    );
}
