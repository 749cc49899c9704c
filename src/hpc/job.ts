/** A job: a program of a container, on so many processors of a site. */
import type { PmiChoice } from "./choosePmi.ts";
import type { SbatchOption } from "./sbatchOptions.ts";
import type { JobResources, SiteRuntime } from "./site.ts";

/** A directory or file the container sees. `$NAME` in either path is filled in where the job runs. */
export interface JobBind {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** Everything a batch script says. */
export interface Job {
  readonly name: string;
  /** For the comment at the head. */
  readonly site: string;
  readonly runtime: SiteRuntime;
  /** A path (of a SIF file, a layout) or a reference. The job expands `$NAME` when it runs. */
  readonly image: string;
  /** The image is in a registry that speaks plain HTTP; Apptainer, Singularity and Podman need an option for that. */
  readonly plainHttp: boolean;
  readonly command: readonly string[];
  readonly resources: JobResources;
  /** Other options of `sbatch`; what follows `hetjob` is of another component, which runs the same program. */
  readonly sbatch: readonly SbatchOption[];
  readonly pmi: PmiChoice;
  /** The host's MPI takes the place of the container's. */
  readonly hostMpi: boolean;
  readonly gpu: "nvidia" | "rocm" | undefined;
  readonly binds: readonly JobBind[];
  readonly workdir: string;
  /** Variables for the program. */
  readonly environment: Readonly<Record<string, string>>;
  /** Variables that keep their values from the submission of the job. */
  readonly inherited: readonly string[];
  readonly modules: readonly string[];
  readonly prologue: readonly string[];
  /** As the site has it. */
  readonly shareNamespaces: boolean;
  /** As the site has them, for the Container Engine. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Started by somebody at a terminal, or in a pipe: standard input is the program's, and so is the terminal. Default no. */
  readonly interactive?: boolean;
  /** File for the job's output, in the form of `sbatch --output`. */
  readonly log: string | undefined;
}

/** Names of all variables that the program is to have. */
export function jobVariables(job: Job): readonly string[] {
  return [...new Set([...Object.keys(job.environment), ...job.inherited])];
}

/** Names of those whose values the script says. */
export function givenVariables(job: Job): readonly string[] {
  return Object.keys(job.environment).filter((name) => !job.inherited.includes(name));
}
