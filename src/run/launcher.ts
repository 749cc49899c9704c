/**
 * What an MPI launcher (`srun`, `mpiexec`, PALS, Flux) gave this process, for the program in the container: without it, every
 * rank is alone in a world of its own.
 *
 * The rule: when a launcher started us, its variables pass into the container by themselves; nothing else of our environment
 * does. The batch script of a job and the shell of an interactive allocation are not started as ranks: there nothing passes. Nor
 * does it for a rank that is the only one (`srun --pty bash`): there is nobody to find, and an `mpiexec` inside would take the
 * container for the machine and look for `srun`.
 */
import { fstatSync, readdirSync } from "node:fs";
import { SpacktainersError } from "../util/errors.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import type { MpiMode } from "./types.ts";

/** What a launcher gave us. */
export interface Launch {
  /** Who started us, for people. */
  readonly launcher: string;
  /** One rank is all there is. */
  readonly alone: boolean;
  /** The variables to pass on; `PMI_FD` is not among them. */
  readonly variables: ReadonlyMap<string, string>;
  /** The file descriptor that `PMI_FD` names: a socket by which the program and the launcher talk (PMI-1 and PMI-2). */
  readonly descriptor: number | undefined;
  /** Directories with files and sockets of the launcher; to be seen at their own paths. */
  readonly directories: readonly string[];
  /** Devices by which ranks reach other machines, and one another's memory. */
  readonly devices: readonly string[];
}

/** Variables by which launchers tell ranks about themselves. */
const launcherVariable =
  /^(?:PMI|PMI2|PMIX|PALS|SLURM|FLUX|PRTE|OMPI_COMM_WORLD|OMPI_MCA|MPI_LOCALRANKID|MPI_LOCALNRANKS)(?:_.*)?$/;

/** Not for programs: a token for Slurm's web interface. */
const secrets: ReadonlySet<string> = new Set(["SLURM_JWT"]);

/** A variable that only a process started as a rank has, and the launcher that sets it. */
const marks: readonly (readonly [variable: string, launcher: string])[] = [
  ["SLURM_STEP_ID", "srun"],
  ["PALS_RANKID", "PALS"],
  ["FLUX_TASK_RANK", "Flux"],
  ["OMPI_COMM_WORLD_RANK", "mpiexec of Open MPI"],
  ["PMIX_RANK", "a PMIx launcher"],
  ["PMI_RANK", "mpiexec"],
];

/**
 * Numbers of steps that are no steps of ranks: the batch script, the step of external processes, the interactive shell of
 * `salloc` (slurm.h, `SLURM_BATCH_SCRIPT`, `SLURM_EXTERN_CONT`, `SLURM_INTERACTIVE_STEP`).
 */
const shellSteps: ReadonlySet<string> = new Set(["4294967290", "4294967291", "4294967292"]);

/** Variables with a directory that clients of PMIx and PALS open files in. */
const directoryVariables = ["PMIX_SERVER_TMPDIR", "PMIX_SYSTEM_TMPDIR", "PALS_SPOOL_DIR"] as const;

/** InfiniBand and RoCE, Slingshot, Omni-Path, Aries; shared memory across processes. */
const fabricDevice = /^(?:infiniband|cxi\d+|hfi1_\d+|kgni\d+|kdreg2?|xpmem|knem)$/;

/**
 * Finds out whether an MPI launcher started this process, and what it gave us.
 *
 * @param env our environment
 * @param isSocket whether a number is an open socket of this process; for tests
 * @param deviceNames what is in `/dev`; for tests
 * @returns undefined when no launcher did
 */
export function detectLaunch(
  env: NodeJS.ProcessEnv = hostEnvironment(),
  isSocket: (descriptor: number) => boolean = isOpenSocket,
  deviceNames: () => readonly string[] = namesInDev,
): Launch | undefined {
  const mark = marks.find(
    ([name]) => env[name] !== undefined && !(name === "SLURM_STEP_ID" && shellSteps.has(env[name] ?? "")),
  );
  if (mark === undefined) return undefined;
  const variables = new Map<string, string>();
  for (const [name, value] of Object.entries(env))
    if (value !== undefined && name !== "PMI_FD" && launcherVariable.test(name) && !secrets.has(name))
      variables.set(name, value);
  const number = /^[0-9]{1,6}$/.test(env.PMI_FD ?? "") ? Number(env.PMI_FD) : undefined;
  const size = env[mark[0] === "SLURM_STEP_ID" ? "SLURM_STEP_NUM_TASKS" : "PMI_SIZE"];
  return {
    launcher: mark[1],
    alone: size === "1",
    variables: new Map([...variables].sort(([a], [b]) => (a < b ? -1 : 1))),
    // A number that another shell has closed may by now be any file of this process.
    descriptor: number !== undefined && number > 2 && isSocket(number) ? number : undefined,
    devices: deviceNames()
      .filter((name) => fabricDevice.test(name))
      .sort()
      .map((name) => `/dev/${name}`),
    directories: [
      ...new Set(
        directoryVariables
          .map((name) => env[name] ?? "")
          .filter((path) => path.startsWith("/") && path !== "/"),
      ),
    ],
  };
}

function isOpenSocket(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isSocket();
  } catch {
    return false;
  }
}

function namesInDev(): readonly string[] {
  try {
    return readdirSync("/dev");
  } catch {
    return [];
  }
}

/**
 * The part of the launch to pass on, according to the options.
 *
 * @throws SpacktainersError USAGE: `launcher` was asked for and no launcher started us
 */
export function chosenLaunch(mode: MpiMode, launch: Launch | undefined): Launch | undefined {
  if (mode === "none" || (mode !== "launcher" && launch?.alone === true)) return undefined;
  if (mode === "launcher" && launch === undefined)
    throw new SpacktainersError("USAGE", "--mpi launcher: no MPI launcher started this process", {
      hint: "put one in front, such as srun --mpi=pmi2 -n 4",
    });
  return launch;
}
