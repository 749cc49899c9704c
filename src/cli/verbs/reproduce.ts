import { Command } from "commander";
import type { ReproduceResult } from "../../commands/reproduce/reproduceImage.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addResourcesOptions, addSelectionOptions, type ResourcesOptions } from "../options.ts";
import { resourcesRequest } from "../requests.ts";
import { resultLine } from "../resultLine.ts";

interface ReproduceOptions extends ResourcesOptions {
  readonly arch?: string;
  readonly base?: string;
}

/** `reproduce`: an image made again, and compared. */
export function reproduceVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("reproduce")
    .summary("rebuild a published image, and compare the two")
    .description(
      "Rebuilds an image from its own description (its environment, lock, base and assembly), and compares the two. Either the digest is the same, or it shows what differs and why. Uses the caches and keys of the configuration. The exit status is 1 if the image is not the same.",
    )
    .argument("<image>", "a container's name, a layout or an archive, or a name in a registry");
  addSelectionOptions(command).option(
    "--base <base>",
    "base to use in place of the image's own, or a base file that the image does not name: image:NAME, debian:SUITE, rootfs:FILE, oci:DIR",
  );
  return addResourcesOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers reproduce ghcr.io/my-org/spack-hello-mpi:1.0.0
  $ spacktainers reproduce oci:dist/amd64/hello-mpi --cache s3://my-cache --trust cache.pub`,
    )
    .action(
      verbAction<ReproduceOptions>(program, outcome, async (context, options, [image = ""]) => {
        const { reproduceImage } = await import("../../commands/reproduce/reproduceImage.ts");
        const result = await reproduceImage({
          ...resourcesRequest(context, options),
          image,
          arch: options.arch,
          base: options.base,
        });
        context.reporter.close();
        if (context.json) context.print(resultLine("reproduce", result));
        else context.print(reproduceText(result));
        return result.reproduced ? 0 : 1;
      }),
    );
}

/** What came of it, for people. */
function reproduceText({
  name,
  version,
  arch,
  digest,
  made,
  reproduced,
  differences,
}: ReproduceResult): string {
  const head = `${name} ${version} ${arch}`;
  if (reproduced) return `${head}  reproduced: the same bytes\n  ${digest}`;
  return [
    `${head}  ${made === undefined ? "cannot be made again" : "is not the same"}`,
    `  published  ${digest}`,
    ...(made === undefined ? [] : [`  made       ${made}`]),
    ...differences.flatMap(({ subject, message, reason }) => [
      `  ${subject}: ${message}`,
      ...(reason === undefined ? [] : [`      ${reason}`]),
    ]),
  ].join("\n");
}
