/** A job as a batch script for Slurm. */
import { expectProgram } from "../run/expectProgram.ts";
import { SpacktainersError } from "../util/errors.ts";
import { shellWord } from "../util/shellQuote.ts";
import { containerCommand } from "./containerCommand.ts";
import type { Job } from "./job.ts";
import type { ContainerCommand } from "./runtimes/types.ts";
import { asksForGpus, isSeparator } from "./sbatchOptions.ts";

/** Variables by which the machine's own settings would lead the container's programs to the machine's libraries. */
export const misleadingVariables = ["PYTHONPATH", "PYTHONHOME", "PERL5LIB", "R_LIBS"] as const;

/**
 * Writes the script: options for `sbatch`, modules, variables, and the program under `srun`. The same for the same job.
 *
 * @throws SpacktainersError USAGE (no command, an option in its place, a value with a line break), NOT_SUPPORTED (what the runtime cannot do)
 */
export function batchScript(job: Job): string {
  if (job.command.length === 0)
    throw new SpacktainersError("USAGE", "the job has no command", { hint: "write it after --" });
  expectProgram(job.command);
  const { before, words, srun: options, sbatch } = containerCommand(job);
  const srun = ["srun"];
  if (job.pmi.plugin !== undefined) srun.push(`--mpi=${job.pmi.plugin}`);
  // Since Slurm 22.05 steps do not take this over from the job.
  if (job.resources.cpusPerTask !== undefined) srun.push(`--cpus-per-task=${job.resources.cpusPerTask}`);
  // One program runs in all components of a heterogeneous job.
  const components = job.sbatch.filter(isSeparator).length;
  if (components > 0) srun.push(`--het-group=0-${components}`);
  const lines = [
    "#!/bin/bash -l",
    ...directives(job, sbatch).map((option) => `#SBATCH ${option}`),
    "",
    `# ${oneLine(job.name)} at ${oneLine(job.site)}, written by spacktainers job.`,
    ...(job.modules.length > 0 ? [`module load ${job.modules.map(shellWord).join(" ")}`] : []),
    ...job.prologue,
    "set -eu",
    ...Object.entries(job.environment).map(([name, value]) => `export ${name}=${shellWord(value)}`),
    `unset ${misleadingVariables.filter((name) => job.environment[name] === undefined && !job.inherited.includes(name)).join(" ")}`,
    ...(before.length > 0 ? ["", ...before] : []),
    "",
    `${srun.join(" ")} \\`,
    ...options.map((option) => `  ${option} \\`),
    ...words.map((word, at) => `  ${at === 0 ? "" : "  "}${word}${at === words.length - 1 ? "" : " \\"}`),
  ];
  return `${lines.join("\n")}\n`;
}

function directives(job: Job, more: ContainerCommand["sbatch"]): readonly string[] {
  const { resources: ask } = job;
  // Without GPUs of its own the job would be shown none.
  const gpus = ask.gpusPerNode ?? (job.gpu === undefined || asksForGpus(job.sbatch) ? undefined : "1");
  const options: (readonly [string, string | number | undefined])[] = [
    ["job-name", job.name],
    ["account", ask.account],
    ["partition", ask.partition],
    ["qos", ask.qos],
    ["constraint", ask.constraint],
    ["nodes", ask.nodes],
    ["ntasks-per-node", ask.tasksPerNode],
    ["cpus-per-task", ask.cpusPerTask],
    ["gpus-per-node", gpus],
    ["mem", ask.memory],
    ["time", ask.time],
    ["output", job.log],
    ...more,
  ];
  const written = options.flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}=${directiveValue(name, String(value))}`],
  );
  return [
    ...written,
    ...(ask.exclusive === true ? ["--exclusive"] : []),
    ...job.sbatch.map((option) =>
      isSeparator(option)
        ? "hetjob"
        : `--${option.name}${option.value === undefined ? "" : `=${directiveValue(option.name, option.value)}`}`,
    ),
  ];
}

/** A value of an `#SBATCH` line. Slurm takes these lines apart by rules of its own: blanks, quotes, backslashes, `#`. */
function directiveValue(name: string, value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (/[\u0000-\u001f\u007f]/.test(value))
    throw new SpacktainersError("USAGE", `--${name} must be on one line`);
  if (/^[\w@%+=:,./&|*()[\]!~-]+$/.test(value)) return value;
  return `"${value.replaceAll(/[\\"]/g, "\\$&")}"`;
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is replaced
  return text.replaceAll(/[\u0000-\u001f\u007f]/g, " ");
}
