import { Command, InvalidArgumentError, Option } from "commander";
import { imageForms } from "../../pipeline/images/imageForms.ts";
import type { RuntimeName } from "../../run/types.ts";
import { runtimeNames } from "../../run/types.ts";
import { SpacktainersError, SpacktainersErrors } from "../../util/errors.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addFailFastOption, addSelectionOptions, type FailFastOptions } from "../options.ts";
import { resultLine } from "../resultLine.ts";

interface TestOptions extends FailFastOptions {
  readonly arch?: string;
  readonly with?: readonly RuntimeName[];
  readonly slurm?: boolean;
  readonly site?: string;
  readonly image?: string;
  readonly mpi?: string;
}

/** `test`: smoke tests of built containers. */
export function testVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("test")
    .summary("run smoke tests of built containers")
    .description(
      "Runs a container's smoke tests with every runtime that works here, or as Slurm jobs. Checks that the programs find all their libraries and that mpiexec starts ranks. Runs %test of a definition file, and the tests in test.yaml next to the definition. The exit status is 1 if a test fails.",
    )
    .argument("[names...]", `images, each ${imageForms} (default: all containers that are built here)`);
  return addFailFastOption(addSelectionOptions(command))
    .addOption(
      new Option("--with <runtime>", "use only this runtime (repeatable; default: all that work)").argParser(
        runtimes,
      ),
    )
    .option("--slurm", "run the tests as Slurm jobs at --site, not here")
    .option("-s, --site <name>", "with --slurm: site to run at")
    .option("--image <where>", "with --slurm: path or reference of the image at the site")
    .option("--mpi <plugin>", "with --slurm: srun --mpi=PLUGIN (default: the one that fits)")
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers test hello-mpi
  $ spacktainers test hello-mpi --with podman --with namespace
  $ spacktainers test hello-mpi --slurm --site jed`,
    )
    .action(
      verbAction<TestOptions>(program, outcome, async (context, options, names) => {
        if (options.slurm === true && options.site === undefined)
          throw new SpacktainersError("USAGE", "--slurm needs --site: where to run");
        const { testContainers } = await import("../../commands/test/testContainers.ts");
        const { results, errors, status } = await testContainers(
          {
            directory: context.directory,
            names,
            arch: options.arch,
            failFast: options.failFast === true,
            runtimes: options.with ?? [],
            slurm:
              options.slurm === true && options.site !== undefined
                ? { site: options.site, mpi: options.mpi, location: options.image }
                : undefined,
            self: [process.execPath, process.argv[1] ?? ""],
            emit: context.reporter.emit,
            signal: context.signal,
          },
          ({ container, test, where, passed, reasons }) => {
            if (context.json) return;
            context.print(`${passed ? "ok    " : "FAILED"}  ${container}  ${where}  ${test}`);
            for (const reason of reasons) context.print(`          ${reason}`);
          },
        );
        context.reporter.close();
        const failed = results.filter(({ passed }) => !passed).length;
        // If a single container cannot be tested, there is nothing to say but why.
        if (results.length === 0 && errors.length === 0 && names.length === 0 && !context.json)
          context.print("nothing is built here yet");
        else if (results.length > 0 || errors.length === 0) {
          if (context.json) context.print(resultLine("test", { passed: status === 0, results }));
          else context.print(`${results.length - failed} of ${results.length} passed`);
        }
        if (errors.length > 0) throw new SpacktainersErrors(errors, status);
        return status;
      }),
    );
}

function runtimes(value: string, previous: readonly RuntimeName[] | undefined): readonly RuntimeName[] {
  const name = runtimeNames.find((known) => known === value);
  if (name === undefined) throw new InvalidArgumentError(`Allowed choices are ${runtimeNames.join(", ")}.`);
  return [...(previous ?? []), name];
}
