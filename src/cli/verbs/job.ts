import { chmod } from "node:fs/promises";
import { Command, Option } from "commander";
import type { Finding } from "../../hpc/finding.ts";
import type { ResourceField } from "../../hpc/resourceFields.ts";
import type { JobResources } from "../../hpc/site.ts";
import { imageForms } from "../../pipeline/images/imageForms.ts";
import type { GpuKind } from "../../run/types.ts";
import { gpuKinds } from "../../run/types.ts";
import { SpacktainersError, SpacktainersErrors } from "../../util/errors.ts";
import { type VerbContext, type VerbOutcome, verbAction } from "../context.ts";
import type { FormAnswers } from "../jobForm.ts";
import { addSelectionOptions, collect } from "../options.ts";
import { resultLine, verbLine } from "../resultLine.ts";

interface JobOptions {
  readonly site: string;
  readonly arch?: string;
  readonly bind?: readonly string[];
  readonly workdir?: string;
  readonly env?: readonly string[];
  readonly image?: string;
  readonly mpi?: string;
  readonly hostMpi?: boolean;
  readonly gpu?: GpuKind | true;
  readonly name?: string;
  readonly log?: string;
  readonly exclusive?: boolean;
  readonly output?: string;
  readonly interactive?: boolean;
  readonly submit?: boolean;
  readonly cancelOnInterrupt?: boolean;
  readonly check?: boolean;
  readonly strict?: boolean;
  readonly sbatch?: readonly string[];
}

/** `job`: a batch script for a container at a site. */
export function jobVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("job")
    .summary("write a batch script for a container at a site")
    .description(
      "Writes a Slurm batch script that runs a program of a container at a site, with the resources, srun's --mpi option, the site's runtime and the binds. First checks whether the image (the one here, or else the one in its registry) fits the site. With --submit, submits the job and follows it; the exit status is that of the job.",
    )
    .argument("<image>", `${imageForms}; or the image as the site's runtime knows it`)
    .argument("[command...]", "program and arguments")
    .requiredOption("-s, --site <name>", "site to run at: sites/NAME.yaml, or `sites:` of spacktainers.yaml");
  addResourceOptions(addSelectionOptions(command))
    .option("--exclusive", "use whole nodes for this job")
    .option("--no-exclusive", "share nodes, even if the site's default is whole nodes")
    .option(
      "-b, --bind <source[:target[:ro]]>",
      "mount a directory or file of the site in the container; the job expands $NAME when it runs (repeatable)",
      collect,
    )
    .option(
      "-w, --workdir <dir>",
      "directory to start in (default: the site's, or else the directory of submission)",
    )
    .option(
      "-e, --env <name[=value]>",
      "set a variable; without a value, use its value at submission (repeatable)",
      collect,
    )
    .option("--image <where>", "where the image is at the site: path or reference")
    .option(
      "--mpi <plugin>",
      "srun --mpi=PLUGIN (default: the one that fits the container's MPI and the site)",
    )
    .option("--host-mpi", "let the host's MPI replace the container's (default: the site's rule)")
    .option("--no-host-mpi", "use the container's own MPI")
    .addOption(
      new Option("--gpu [kind]", "give the container graphics processors, and ask Slurm for them")
        .choices(gpuKinds)
        .preset("nvidia"),
    )
    .option(
      "--sbatch <option>",
      "another option of sbatch, such as array=1-10 or hint=nomultithread; hetjob begins another component (repeatable)",
      collect,
    )
    .option("--name <name>", "name of the job (default: the container's)")
    .option("--log <file>", "file for the job's output, in the form of sbatch --output")
    .option("-o, --output <file>", "write the script to a file")
    .option("-i, --interactive", "ask on the terminal for values that no option gives")
    .option("--submit", "submit the job and follow its output")
    .option("--cancel-on-interrupt", "with --submit: Ctrl-C cancels the job (default: the job continues)")
    .option("--no-check", "do not check whether the image fits the site")
    .option("--strict", "also fail if `doctor` has warnings");
  // Commander makes an option true when there is a --no-… of it; undefined means "as the site says".
  for (const name of ["exclusive", "hostMpi"]) command.setOptionValue(name, undefined);
  return command
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers job hello-mpi --site jed --nodes 2 -- ring
  $ spacktainers job hello-mpi --site jed --interactive -o ring.sbatch
  $ spacktainers job hello-mpi --site eiger --account proj1 --bind '$SCRATCH/data:/data:ro' --submit -- ring 1000`,
    )
    .action(
      verbAction<JobOptions & Record<string, unknown>>(
        program,
        outcome,
        async (context, options, [image = "", ...words]) => job(context, image, words, options),
      ),
    );
}

function addResourceOptions(command: Command): Command {
  return command
    .option("-A, --account <name>", "account (project) to charge")
    .option("-p, --partition <name>", "partition")
    .option("--qos <name>", "quality of service")
    .option("--constraint <features>", "features that nodes must have")
    .option("-N, --nodes <n>", "nodes")
    .option("--tasks-per-node <n>", "tasks (ranks) on each node")
    .option("--cpus-per-task <n>", "processors for each task")
    .option("-t, --time <limit>", "time limit, such as 04:00:00")
    .option("--memory <amount>", "memory on each node, such as 64G")
    .option("--gpus-per-node <n>", "GPUs on each node, such as 4 or a100:4 (with --gpu; default 1)");
}

async function job(
  context: VerbContext,
  image: string,
  words: readonly string[],
  options: JobOptions & Record<string, unknown>,
): Promise<number> {
  const { makeJob, scriptPath } = await import("../../commands/job/makeJob.ts");
  const { parseResource, resourceFields } = await import("../../hpc/resourceFields.ts");
  const given = (field: ResourceField): readonly [string, string | number][] => {
    const text = options[field.field];
    return typeof text === "string" ? [[field.field, parseResource(field.key, text)]] : [];
  };
  let resources: JobResources = Object.fromEntries(resourceFields.flatMap(given));
  if (options.exclusive !== undefined) resources = { ...resources, exclusive: options.exclusive };
  let command = words;
  let wantsSubmit = options.submit === true;
  if (options.interactive === true) {
    const answers = await interview(context, options, resources, words);
    ({ resources, command } = answers);
    wantsSubmit ||= answers.submit;
  }
  const made = await makeJob({
    directory: context.directory,
    image,
    arch: options.arch,
    site: options.site,
    command,
    resources,
    name: options.name,
    binds: options.bind ?? [],
    workdir: options.workdir,
    env: options.env ?? [],
    location: options.image,
    mpi: options.mpi,
    hostMpi: options.hostMpi,
    gpu: options.gpu === true ? "nvidia" : options.gpu,
    log: options.log,
    sbatch: options.sbatch ?? [],
    lookUp: options.check !== false,
    emit: context.reporter.emit,
    signal: context.signal,
  });
  if (options.check !== false) {
    refuseMismatch(made.findings, options.strict === true);
    for (const { severity, message, remedy } of made.findings)
      if (severity === "warning")
        context.reporter.emit({
          type: "warning",
          code: "SITE_MISMATCH",
          message,
          hint: remedy,
        });
  }
  if (options.output !== undefined) {
    const { writeFileAtomically } = await import("../../util/atomicFile.ts");
    const path = scriptPath(context.directory, options.output);
    await writeFileAtomically(path, made.script);
    await chmod(path, 0o755);
  }
  if (wantsSubmit && made.job.sbatch.some(({ name }) => name === "array"))
    throw new SpacktainersError("USAGE", "--submit follows one job, and this is an array of them", {
      hint: "write the script with -o, and hand it to sbatch",
    });
  if (wantsSubmit) return submit(context, made.script, options.cancelOnInterrupt === true);
  context.reporter.close();
  if (context.json)
    context.print(resultLine("job", { script: made.script, job: made.job, findings: made.findings }));
  else context.print(options.output === undefined ? made.script.trimEnd() : options.output);
  return 0;
}

/** Asks on the terminal; whether to submit only where `sbatch` is, and the result is not for a program. */
async function interview(
  context: VerbContext,
  options: JobOptions,
  given: JobResources,
  command: readonly string[],
): Promise<FormAnswers> {
  if (process.stdin.isTTY !== true)
    throw new SpacktainersError("USAGE", "--interactive needs a terminal", {
      hint: "give the options instead",
    });
  const { openSoundRepository } = await import("../../pipeline/workspace/workspace.ts");
  const { findSite } = await import("../../hpc/site.ts");
  const { canSubmit } = await import("../../slurm/slurm.ts");
  const { askForJob } = await import("../jobForm.ts");
  const site = findSite((await openSoundRepository(context.directory)).configuration, options.site);
  const isSubmitHost = await canSubmit();
  // Better now than after the last question.
  if (options.submit === true && !isSubmitHost)
    throw new SpacktainersError("RUNTIME_MISSING", "there is no sbatch here", {
      hint: "leave out --submit: the script can be submitted from a login node of the cluster",
    });
  const offerSubmit = isSubmitHost && options.submit !== true && !context.json;
  // The script may go to standard output.
  const terminal = { input: process.stdin, output: process.stderr, signal: context.signal };
  return askForJob({ site: site.resources, given, command, offerSubmit }, terminal);
}

/** Stops a job that cannot work before the queue does; or, if that is asked for, one of which it is not certain that it can. */
function refuseMismatch(findings: readonly Finding[], isStrict: boolean): void {
  const errors = findings
    .filter(({ severity }) => severity === "error" || (isStrict && severity === "warning"))
    .map(
      ({ message, remedy }) =>
        new SpacktainersError("SITE_MISMATCH", message, {
          hint: remedy ?? "`spacktainers doctor` says more; --no-check writes the script anyway",
        }),
    );
  if (errors.length > 0) throw new SpacktainersErrors(errors);
}

async function submit(context: VerbContext, script: string, cancelOnInterrupt: boolean): Promise<number> {
  const { runJob } = await import("../../commands/job/runJob.ts");
  const { escapeControls } = await import("../../util/escapeControls.ts");
  const decoder = new TextDecoder();
  const outcome = await runJob({
    script,
    directory: context.directory,
    cancelOnInterrupt,
    output: (bytes) => {
      const text = decoder.decode(bytes, { stream: true });
      if (context.json) context.output.write(`${verbLine("job", { type: "output", text })}\n`);
      else context.output.write(escapeControls(text));
    },
    emit: context.reporter.emit,
    signal: context.signal,
  });
  context.reporter.close();
  if (context.json) context.print(resultLine("job", outcome));
  return outcome.status;
}
