import { hostEnvironment } from "../util/surroundings.ts";
import type { Sharing } from "./apptainerSharing.ts";
import { withDescriptor } from "./containerProcess.ts";
import { descriptorOf, firstDescriptor, type Invocation, refuseHostMpi } from "./invocation.ts";
import { mountOption } from "./mountOption.ts";
import type { ContainerProcess } from "./types.ts";

/** Apptainer and its sibling take the same options, and variables of their own names. */
export type ApptainerName = "apptainer" | "singularity";

/** What is run, and with which root directory. */
export interface ApptainerRun {
  readonly root: string;
  readonly container: ContainerProcess;
  readonly sharing?: Sharing | undefined;
}

/**
 * The command that runs a container from a directory with its root, or from an image file of Apptainer's own; so no image file has to be made, and no special rights are needed.
 * As isolated as the other runtimes: neither home nor environment of the user are passed on. The program sees itself as the user.
 *
 * @param root directory with the unpacked image; or a SIF or squashfs file, or a directory that Apptainer made, which its own
 *   scripts start
 * @param sharing how a rank is to be in the namespace of others
 */
export function apptainerInvocation(
  name: ApptainerName,
  program: string,
  { root, container, sharing }: ApptainerRun,
): Invocation {
  const prefix = name.toUpperCase();
  refuseHostMpi(name, container);
  // With --contain alone it has a /dev of its own. Ranks in several containers talk through the machine's /dev/shm, and those on several
  // machines through devices for the network.
  const options = ["--contain", "--bind=/dev", "--cleanenv", `--pwd=${container.workdir}`];
  if (container.fakeroot) options.push("--fakeroot");
  if (!container.readOnly) options.push("--writable-tmpfs");
  // The file of host names it makes then has no other name than this, and MPI libraries look up their machine's.
  if (container.network === "none") options.push("--net", "--network=none", "--hostname=localhost");
  if (container.gpu !== undefined) options.push(container.gpu === "nvidia" ? "--nv" : "--rocm");
  for (const bind of container.binds) options.push(`--mount=${mountOption(bind, "destination", "ro")}`);
  if (sharing !== undefined) options.push("--sharens");
  // Values are taken as they are, not as shell text.
  const env: NodeJS.ProcessEnv = { ...hostEnvironment(), [`${prefix}_NO_EVAL`]: "1" };
  const { ownScript } = container;
  const { env: all, extraEnv } = withDescriptor(container, firstDescriptor);
  // An image of Apptainer's own has its variables in its scripts.
  for (const [variable, value] of ownScript === undefined ? all : extraEnv)
    if (variable !== "HOME") env[`${prefix}ENV_${variable}`] = value;
  // It knows ranks by who started them; those of different containers must not be taken for one another's.
  if (sharing !== undefined) env[`${prefix}_CONFIGDIR`] = sharing.notes;
  const words = [...(sharing?.before ?? []), ...(ownScript === undefined ? container.argv : ownScript.args)];
  return {
    argv: [program, "--silent", ownScript?.action ?? "exec", ...options, root, ...words],
    env,
    ...descriptorOf(container),
  };
}
