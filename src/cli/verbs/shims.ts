import { relative } from "node:path";
import { Command, Option } from "commander";
import { type ShimRuntime, shimRuntimes } from "../../commands/shims/shimRuntimes.ts";
import { imageForms } from "../../pipeline/images/imageForms.ts";
import { type GpuKind, gpuKinds } from "../../run/types.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addSelectionOptions, collect } from "../options.ts";
import { resultLine } from "../resultLine.ts";

interface ShimsOptions {
  readonly arch?: string;
  readonly into: string;
  readonly lmod?: boolean;
  readonly site?: string;
  readonly with?: ShimRuntime;
  readonly image?: string;
  readonly program?: readonly string[];
  readonly roots?: boolean;
  readonly bind?: readonly string[];
  readonly env?: readonly string[];
  readonly gpu?: GpuKind | true;
}

/** `shims`: a container's programs as commands of the machine. */
export function shimsVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("shims")
    .summary("write wrapper scripts and a module file for a container's programs")
    .description(
      "Writes a small shell script for each program of a container, and a module file that puts the scripts on the search path. A script starts its program in the container, both on a login node and under srun. The site (or this machine) decides the runtime, binds, image and variables. To update the scripts after the image changes, run the command again; it never replaces files that it did not write.",
    )
    .argument("<image>", imageForms)
    .requiredOption("--into <dir>", "folder for the files: bin, libexec, modulefiles");
  return addSelectionOptions(command)
    .option("--lmod", "also write a module file in Lua, for Lmod")
    .option("-s, --site <name>", "site to use them at: sites/NAME.yaml, or `sites:` of spacktainers.yaml")
    .addOption(new Option("--with <runtime>", "runtime to run the container with").choices([...shimRuntimes]))
    .option("--image <where>", "where the image is: path or reference")
    .option(
      "--program <name>",
      "write a script only for this program (repeatable; default: all programs of the view)",
      collect,
    )
    .option("--roots", "write scripts only for programs of the packages that the definition names")
    .option(
      "-b, --bind <source[:target[:ro]]>",
      "directory or file to mount for the programs, in addition to the site's (repeatable)",
      collect,
    )
    .option("-e, --env <name[=value]>", "variable to set for the programs (repeatable)", collect)
    .addOption(
      new Option("--gpu [kind]", "give the programs graphics processors").choices(gpuKinds).preset("nvidia"),
    )
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers shims hello-mpi --site jed --into /apps/hello-mpi
  $ spacktainers shims hello-mpi.sif --with apptainer --program ring --into apps --lmod
  $ module use /apps/hello-mpi/modulefiles; module load hello-mpi; srun -n 4 ring`,
    )
    .action(
      verbAction<ShimsOptions>(program, outcome, async (context, options, [image = ""]) => {
        const { writeShims } = await import("../../commands/shims/writeShims.ts");
        const written = await writeShims({
          directory: context.directory,
          image,
          arch: options.arch,
          into: options.into,
          lmod: options.lmod === true,
          site: options.site,
          runtime: options.with,
          location: options.image,
          programs: options.program ?? [],
          rootsOnly: options.roots === true,
          binds: options.bind ?? [],
          env: options.env ?? [],
          gpu: options.gpu === true ? "nvidia" : options.gpu,
          emit: context.reporter.emit,
          signal: context.signal,
        });
        context.reporter.close();
        if (context.json) context.print(resultLine("shims", written));
        else {
          const shown = relative(context.directory, written.into) || ".";
          const { length } = written.programs;
          context.print(
            `${length} ${length === 1 ? "program" : "programs"} of ${written.name} ${written.version} in ${shown}/bin`,
          );
          context.print(`module use ${written.into}/modulefiles; module load ${written.name}`);
        }
        return 0;
      }),
    );
}
