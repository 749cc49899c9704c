/** A job: a program of a container, on so many processors of a site. */
import type { PmiChoice } from "./choosePmi.ts";
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
  /** A path (of a SIF file, a layout) or a reference. `$NAME` is filled in where the job runs. */
  readonly image: string;
  /** The image is in a registry that speaks plain HTTP, which Apptainer, Singularity and Podman need to be told. */
  readonly plainHttp: boolean;
  readonly command: readonly string[];
  readonly resources: JobResources;
  readonly pmi: PmiChoice;
  /** The host's MPI takes the place of the container's. */
  readonly hostMpi: boolean;
  readonly gpu: "nvidia" | "rocm" | undefined;
  readonly binds: readonly JobBind[];
  readonly workdir: string;
  /** Variables for the program. */
  readonly environment: Readonly<Record<string, string>>;
  /** Variables that keep the value they have where the job is submitted. */
  readonly inherited: readonly string[];
  readonly modules: readonly string[];
  readonly prologue: readonly string[];
  /** As the site has it. */
  readonly shareNamespaces: boolean;
  /** File for what the job says, as `sbatch --output` takes it. */
  readonly log: string | undefined;
}
