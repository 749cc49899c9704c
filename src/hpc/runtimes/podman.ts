import { SpacktainersError } from "../../util/errors.ts";
import { shellLine } from "../../util/shellQuote.ts";
import { type Job, jobVariables } from "../job.ts";
import { shellPath } from "../shellPath.ts";
import { refusePaths } from "./bindPaths.ts";
import { pmixBind, usesPmix } from "./pmix.ts";
import { type ContainerCommand, wordsOnly } from "./types.ts";

/**
 * Podman passes on no descriptors but the first few, so that the launcher's socket has to be moved to the first of them; and it makes
 * everybody root of the container, who keeps the number only where that is asked for (which root may not ask). A
 * shell that `srun` starts does it (Bash, since others know descriptors up to 9 only), with the script in an argument.
 */
export function podman(job: Job): ContainerCommand {
  return ranks("podman", job, [
    "--rm --network=host --pid=host",
    ...(job.plainHttp ? ["--tls-verify=false"] : []),
    ...(job.gpu === "nvidia" ? ["--device=nvidia.com/gpu=all"] : []),
    ...(job.gpu === "rocm" ? ["--device=/dev/kfd --device=/dev/dri --group-add=keep-groups"] : []),
    ...commonOptions(job),
  ]);
}

/**
 * NERSC's wrapper of Podman: its own options choose the machine's modules, everything else is Podman's. With `--mpi` and `--cuda-mpi`, which
 * put Cray's MPI in, it starts one container a node by itself and hands the launcher's socket on. Source: podman-hpc's etc/modules.d.
 */
export function podmanHpc(job: Job): ContainerCommand {
  if (job.gpu === "rocm")
    throw new SpacktainersError("NOT_SUPPORTED", "podman-hpc knows the drivers of NVIDIA only");
  const gpu = job.gpu === "nvidia" ? ["--gpu"] : [];
  const http = job.plainHttp ? ["--tls-verify=false"] : [];
  if (job.hostMpi)
    return wordsOnly([
      `podman-hpc run --rm ${job.gpu === "nvidia" ? "--cuda-mpi" : "--mpi"}`,
      ...gpu,
      ...http,
      ...commonOptions(job),
      shellPath(job.image),
      shellLine(job.command),
    ]);
  return ranks("podman-hpc", job, ["--rm --network=host --pid=host", ...gpu, ...http, ...commonOptions(job)]);
}

function commonOptions(job: Job): readonly string[] {
  return [
    ...job.binds.map((bind) => {
      refusePaths(bind, /[,"]/, "podman --mount cannot take", "a comma or quote");
      return `--mount=type=bind,source=${shellPath(bind.source)},target=${shellPath(bind.target)}${bind.readOnly ? ",readonly" : ""}`;
    }),
    ...(job.binds.length > 0 ? ["--security-opt=label=disable"] : []),
    "--env='PMI*' --env='SLURM*' --env='PALS*'",
    // Whoever starts a program by hand sets these beforehand, and other runtimes pass on everything.
    ...(job.interactive === true
      ? ["--interactive --env='OMP*' --env='MPI*' --env='FI_*' --env='UCX*'"]
      : []),
    ...jobVariables(job).map((name) => `--env=${name}`),
    `--workdir=${shellPath(job.workdir)}`,
    "--entrypoint=''",
  ];
}

function ranks(program: "podman" | "podman-hpc", job: Job, options: readonly string[]): ContainerCommand {
  return {
    ...wordsOnly(['bash --norc -c "$rank" rank', ...options, shellPath(job.image), shellLine(job.command)]),
    before: [
      "# Podman passes on the descriptors after 2 only: the launcher's socket must be number 3. Ranks keep their user.",
      "rank='",
      '  if [ -n "$PMI_FD" ]; then',
      '    [ "$PMI_FD" = 3 ] || eval "exec 3<&$PMI_FD $PMI_FD<&-"',
      "    export PMI_FD=3",
      // podman-hpc says so by itself, going by the variable.
      ...(program === "podman" ? ["    keep=--preserve-fds=1"] : []),
      "  fi",
      // Podman wants the message queues as well for the one option, and some machines have none.
      '  if [ -e /dev/mqueue ]; then keep="$keep --ipc=host"; else set -- --volume=/dev/shm:/dev/shm "$@"; fi',
      '  [ "$(id -u)" = 0 ] || keep="$keep --userns=keep-id"',
      ...(job.interactive === true ? ['  [ ! -t 0 ] || [ ! -t 1 ] || keep="$keep --tty"'] : []),
      ...(usesPmix(job) ? [pmixBind("--volume=$place:$place")] : []),
      `  exec ${program} run $keep "$@"`,
      "'",
    ],
  };
}
