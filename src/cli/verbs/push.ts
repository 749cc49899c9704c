import { Command } from "commander";
import { oneError } from "../../util/errors.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import {
  addImageOptions,
  addResourcesOptions,
  collect,
  type ImageOptions,
  type ResourcesOptions,
} from "../options.ts";
import { pushEntry, pushTable } from "../pushTable.ts";
import { buildingRequest, imageRequest } from "../requests.ts";
import { resultLine } from "../resultLine.ts";

interface PushOptions extends ImageOptions, ResourcesOptions {
  readonly registry?: readonly string[];
  readonly tag?: readonly string[];
  readonly force?: boolean;
}

/** `push`: images into the registries. */
export function pushVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("push")
    .summary("publish images to the configured registries")
    .description(
      "Publishes each container to every configured registry and moves its tags. Does not make or send what a registry already has: the image, its layers, or layers of other containers. NAME is a container's name, a path or a glob. Without a NAME, publishes all containers.",
    )
    .argument("[names...]", "containers to publish (default: all)");
  addImageOptions(command, "publish")
    .option("--registry <url>", "use only this configured registry (repeatable)", collect)
    .option("--tag <tag>", "add a tag to the configured ones (repeatable)", collect)
    .option("--force", "make and push the image even if the registry has it");
  return addResourcesOptions(command)
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
        const { pushContainers } = await import("../../commands/push/pushContainers.ts");
        const { rows, errors } = await pushContainers({
          ...imageRequest(context, options, names),
          building: buildingRequest(options),
          registries: options.registry ?? [],
          tags: options.tag ?? [],
          force: options.force === true,
        });
        context.reporter.close();
        if (context.json) for (const row of rows) context.print(resultLine("push", pushEntry(row)));
        else context.print(pushTable(rows));
        if (errors.length > 0) throw oneError(errors);
        return 0;
      }),
    );
}
