/** The command, as text of a shell script, by which one rank of a job runs in its container. */
import { SpacktainersError } from "../util/errors.ts";
import { shellLine } from "../util/shellQuote.ts";
import type { Job, JobBind } from "./job.ts";
import { shellPath } from "./shellPath.ts";

/** Words of a shell script, quoted already; each on a line of its own. */
export interface ContainerCommand {
  /** Lines before the program is started: definitions it needs. */
  readonly before: readonly string[];
  readonly words: readonly string[];
}

/**
 * Writes the command.
 *
 * The entrypoint is skipped everywhere: that of our images is a login shell that splits arguments at blanks, and the variables it would
 * set are in the image's configuration as well.
 *
 * @throws SpacktainersError NOT_SUPPORTED for what a runtime cannot do
 */
export function containerCommand(job: Job): ContainerCommand {
  const { runtime } = job;
  if (job.hostMpi && runtime !== "sarus")
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `${runtime} cannot put the host's MPI in the place of the container's`,
      { hint: "leave out --host-mpi: the container's own MPI is used" },
    );
  if (runtime === "sarus")
    return withPmix(job, "--mount=type=bind,source=$place,destination=$place", sarus(job));
  if (runtime === "podman") return podman(job);
  if (runtime === "native") return { before: [], words: native(job) };
  if (runtime === "docker")
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      "containers of Docker are not processes of the job that starts them",
      {
        hint: "let `runtime:` of the site be apptainer, sarus, podman or native",
      },
    );
  return withPmix(job, "--bind=$place", apptainer(runtime, job));
}

/** Names of all variables that the program is to have. */
function variables(job: Job): readonly string[] {
  return [...new Set([...Object.keys(job.environment), ...job.inherited])];
}

function sarus(job: Job): readonly string[] {
  const own = variables(job);
  return [
    job.hostMpi ? "sarus run --mpi" : "sarus run",
    ...job.binds.map((bind) => {
      for (const path of [bind.source, bind.target])
        if (/[,"]/.test(path))
          throw new SpacktainersError(
            "NOT_SUPPORTED",
            `Sarus cannot bind a path with a comma or quote in it: ${path}`,
          );
      return `--mount=type=bind,source=${shellPath(bind.source)},destination=${shellPath(bind.target)}${bind.readOnly ? ",readonly" : ""}`;
    }),
    // They are in the job's environment, which Sarus passes on; only over the image's own they must be named.
    ...own.map((name) => `--env=${name}`),
    `--workdir=${shellPath(job.workdir)}`,
    "--entrypoint ''",
    shellPath(job.image),
    shellLine(job.command),
  ];
}

function apptainer(runtime: "apptainer" | "singularity", job: Job): readonly string[] {
  return [
    `${runtime} exec`,
    ...(job.shareNamespaces && runtime === "apptainer" ? ["--sharens"] : []),
    ...(job.plainHttp ? ["--no-https"] : []),
    ...(job.gpu === undefined ? [] : [job.gpu === "nvidia" ? "--nv" : "--rocm"]),
    ...job.binds.map((bind) => {
      for (const path of [bind.source, bind.target])
        if (/[,:\\]/.test(path))
          throw new SpacktainersError(
            "NOT_SUPPORTED",
            `${runtime} --bind cannot take a path with a comma, colon or backslash in it: ${path}`,
          );
      const same = bind.source === bind.target && !bind.readOnly;
      const target = same ? "" : `:${shellPath(bind.target)}`;
      return `--bind=${shellPath(bind.source)}${target}${bind.readOnly ? ":ro" : ""}`;
    }),
    `--pwd=${shellPath(job.workdir)}`,
    shellPath(job.image),
    shellLine(job.command),
  ];
}

/** Our own runner passes on what the launcher gave it, and nothing else unless it is named. */
function native(job: Job): readonly string[] {
  if (job.gpu !== undefined)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      "our own runner cannot give a container the drivers of a graphics processor",
    );
  return [
    "spacktainers exec --quiet --with namespace",
    ...job.binds.map(nativeBind),
    ...variables(job).map((name) => `--env ${name}`),
    `--workdir ${shellPath(job.workdir)}`,
    shellPath(job.image),
    "--",
    shellLine(job.command),
  ];
}

function nativeBind(bind: JobBind): string {
  for (const path of [bind.source, bind.target])
    if (path.includes(":"))
      throw new SpacktainersError("NOT_SUPPORTED", `--bind cannot take a path with a colon in it: ${path}`);
  return `--bind ${shellPath(bind.source)}:${shellPath(bind.target)}${bind.readOnly ? ":ro" : ""}`;
}

/**
 * Podman passes on no descriptors but the first few, so that the launcher's socket has to be moved to the first of them; and it makes
 * everybody root of the container, who keeps the number only where that is asked for (which root may not ask). A
 * shell that `srun` starts does it (Bash, since others know descriptors up to 9 only), with the script in an argument.
 */
function podman(job: Job): ContainerCommand {
  const options = [
    "--rm --network=host --pid=host",
    ...(job.plainHttp ? ["--tls-verify=false"] : []),
    ...(job.gpu === "nvidia" ? ["--device=nvidia.com/gpu=all"] : []),
    ...(job.gpu === "rocm" ? ["--device=/dev/kfd --device=/dev/dri --group-add=keep-groups"] : []),
    ...job.binds.map((bind) => {
      for (const path of [bind.source, bind.target])
        if (/[,"]/.test(path))
          throw new SpacktainersError(
            "NOT_SUPPORTED",
            `podman --mount cannot take a path with a comma or quote in it: ${path}`,
          );
      return `--mount=type=bind,source=${shellPath(bind.source)},target=${shellPath(bind.target)}${bind.readOnly ? ",readonly" : ""}`;
    }),
    ...(job.binds.length > 0 ? ["--security-opt=label=disable"] : []),
    "--env='PMI*' --env='SLURM*' --env='PALS*'",
    ...variables(job).map((name) => `--env=${name}`),
    `--workdir=${shellPath(job.workdir)}`,
    "--entrypoint=''",
  ];
  return {
    before: [
      "# Podman passes on the descriptors after 2 only: the launcher's socket must be number 3. Ranks keep their user.",
      "rank='",
      '  if [ -n "$PMI_FD" ]; then',
      '    [ "$PMI_FD" = 3 ] || eval "exec 3<&$PMI_FD $PMI_FD<&-"',
      "    export PMI_FD=3",
      "    keep=--preserve-fds=1",
      "  fi",
      // Podman wants the message queues as well for the one option, and some machines have none.
      '  if [ -e /dev/mqueue ]; then keep="$keep --ipc=host"; else set -- --volume=/dev/shm:/dev/shm "$@"; fi',
      '  [ "$(id -u)" = 0 ] || keep="$keep --userns=keep-id"',
      ...(usesPmix(job) ? [pmixBind("--volume=$place:$place")] : []),
      '  exec podman run $keep "$@"',
      "'",
    ],
    words: ['bash --norc -c "$rank" rank', ...options, shellPath(job.image), shellLine(job.command)],
  };
}

function usesPmix({ pmi }: Job): boolean {
  return pmi.plugin?.startsWith("pmix") === true;
}

/** A line that puts an option before the others, so that a rank sees the files and sockets of PMIx, which are in `$place`. */
function pmixBind(option: string): string {
  return `  for place in "$PMIX_SERVER_TMPDIR"; do [ ! -d "$place" ] || set -- "${option}" "$@"; done`;
}

/** With PMIx each rank has to be shown a directory that the launcher tells only to it; so a shell of its own starts the runtime. */
function withPmix(job: Job, option: string, [run = "", ...words]: readonly string[]): ContainerCommand {
  if (!usesPmix(job)) return { before: [], words: [run, ...words] };
  return {
    before: [
      "# PMIx keeps files and sockets in a directory of the node.",
      "rank='",
      pmixBind(option),
      `  exec ${run} "$@"`,
      "'",
    ],
    words: ['sh -c "$rank" rank', ...words],
  };
}
