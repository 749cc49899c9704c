import { Command } from "commander";
import type { Examination } from "../../commands/doctor/diagnoseImages.ts";
import type { Finding } from "../../hpc/finding.ts";
import { imageForms } from "../../pipeline/images/imageForms.ts";
import { oneError } from "../../util/errors.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addSelectionOptions } from "../options.ts";
import { resultLine } from "../resultLine.ts";

interface DoctorOptions {
  readonly arch?: string;
  readonly partition?: string;
  readonly constraint?: string;
  readonly mpi?: string;
  readonly hostMpi?: boolean;
  readonly gpu?: boolean;
}

/** `doctor`: whether images can run at sites, or here. */
export function doctorVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("doctor")
    .summary("check whether images run at a site, or on this machine")
    .description(
      "Determines from the files of an image alone whether it can run at a site: processor, C library, MPI and its interface, how ranks find one another, libraries that must not be there. Without a site, checks the image on this machine. Without an image, shows what this machine has. The exit status is 1 if something cannot work.",
    )
    .argument("[subjects...]", `sites, and images, each ${imageForms}`);
  addSelectionOptions(command)
    .option("-p, --partition <name>", "partition that the job will run in")
    .option("--constraint <features>", "features that its nodes will have")
    .option("--mpi <plugin>", "srun --mpi=PLUGIN that the job will use (default: the one that fits)")
    .option("--host-mpi", "the host's MPI replaces the container's (default: by the site's rule)")
    .option("--no-host-mpi", "the container's own MPI is used")
    .option("--gpu", "graphics processors will be used: the driver against the image's CUDA");
  command.setOptionValue("hostMpi", undefined);
  return command
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers doctor
  $ spacktainers doctor jed hello-mpi
  $ spacktainers doctor jed hello-mpi.sif docker://ghcr.io/my-org/spack-hello-mpi:latest
  $ spacktainers doctor eiger hello-mpi --no-host-mpi --json`,
    )
    .action(
      verbAction<DoctorOptions>(program, outcome, async (context, options, subjects) => {
        const { diagnoseImages } = await import("../../commands/doctor/diagnoseImages.ts");
        const { examinations, errors } = await diagnoseImages({
          directory: context.directory,
          subjects,
          arch: options.arch,
          resources: {
            partition: options.partition,
            constraint: options.constraint,
          },
          mpi: options.mpi,
          hostMpi: options.hostMpi,
          gpu: options.gpu === true,
          emit: context.reporter.emit,
          signal: context.signal,
        });
        context.reporter.close();
        const works = examinations.every(({ findings }) =>
          findings.every(({ severity }) => severity !== "error"),
        );
        if (context.json)
          context.print(resultLine("doctor", { works: works && errors.length === 0, examinations }));
        else
          context.print(
            examinations.map((one) => examinationText(one)).join("\n\n") || "nothing is built here yet",
          );
        if (errors.length > 0) throw oneError(errors);
        return works ? 0 : 1;
      }),
    );
}

/** An examination for people: a head, and a line for each finding with its evidence and remedy below it. */
function examinationText({ image, site, findings }: Examination): string {
  const where = site ?? "this machine";
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const verdict =
    errors > 0
      ? "cannot work"
      : findings.some(({ severity }) => severity === "warning")
        ? "may work"
        : "fine";
  const head = image === undefined ? where : `${image} at ${where}: ${verdict}`;
  return [head, ...findings.flatMap(findingLines)].join("\n");
}

function findingLines({ severity, check, message, evidence, remedy }: Finding): readonly string[] {
  const word = { ok: "ok", warning: "warning", error: "ERROR" }[severity];
  return [
    `  ${word.padEnd(7)}  ${check.padEnd(14)}  ${message}`,
    ...(severity === "ok" ? [] : evidence.map((line) => `                           ${line}`)),
    ...(remedy === undefined ? [] : [`                           remedy: ${remedy}`]),
  ];
}
