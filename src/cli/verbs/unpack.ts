import { Command } from "commander";
import { counted } from "../../util/counted.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import {
  addInstallOptions,
  addResourcesOptions,
  addSelectionOptions,
  type InstallFlags,
  type ResourcesOptions,
} from "../options.ts";
import { installRequest, resourcesRequest } from "../requests.ts";
import { resultLine } from "../resultLine.ts";

interface UnpackOptions extends InstallFlags, ResourcesOptions {
  readonly arch?: string;
  readonly into: string;
  readonly root: string;
  readonly view: string;
}

/** `unpack`: an environment as plain files in a directory. */
export function unpackVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("unpack")
    .summary("write the environment as plain files to a directory")
    .description(
      "Resolves an environment, relocates its packages to PREFIX, and puts them and the view into DIR as a root directory: DIR/PREFIX/…",
    )
    .argument(
      "<path>",
      "a container's name, a definition, or a folder with spack.yaml (and spack.lock if it has one)",
    )
    .requiredOption("--into <dir>", "directory to fill")
    .option("--root <prefix>", "where the packages will be", "/opt/software")
    .option("--view <prefix>", "where the view will be", "/opt/view");
  return addResourcesOptions(addInstallOptions(addSelectionOptions(command)))
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers unpack hello-mpi --into /scratch/hello
  $ spacktainers unpack envs/sim --into / --root /apps/spack --view /apps/sim --cache s3://my-cache --trust cache.pub`,
    )
    .action(
      verbAction<UnpackOptions>(program, outcome, async (context, options, [path = ""]) => {
        const { unpackEnvironment } = await import("../../commands/unpack/unpackEnvironment.ts");
        const result = await unpackEnvironment({
          ...resourcesRequest(context, options),
          ...installRequest(options),
          path,
          into: options.into,
          root: options.root,
          view: options.view,
          arch: options.arch,
        });
        context.reporter.close();
        if (context.json) context.print(resultLine("unpack", result));
        else context.print(`${counted(result.packages.length, "package")} in ${result.into}`);
        return 0;
      }),
    );
}
