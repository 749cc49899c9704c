import { SpacktainersError } from "../util/errors.ts";
import type { ContainerProcess } from "./types.ts";

/** A command and the environment to start it with. */
export interface Invocation {
  readonly argv: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  /** A file descriptor of this process to hand on, and its number there. */
  readonly descriptor?: { readonly own: number; readonly number: number };
}

/** The number under which runtimes get a launcher's socket: the first that is free. Podman passes on no others. */
export const firstDescriptor = 3;

/** The launcher's socket, where there is one, as part of an {@link Invocation}. */
export function descriptorOf(container: ContainerProcess): Pick<Invocation, "descriptor"> {
  const own = container.launch?.descriptor;
  return own === undefined ? {} : { descriptor: { own, number: firstDescriptor } };
}

/**
 * Stops where only Sarus has an answer.
 * @throws SpacktainersError NOT_SUPPORTED
 */
export function refuseHostMpi(runtime: string, container: ContainerProcess): void {
  if (container.hostMpi)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `${runtime} cannot use the machine's MPI instead of the container's`,
      {
        hint: "Sarus can (--with sarus --mpi host); elsewhere the container's own MPI is used, by srun --mpi=…",
      },
    );
}
