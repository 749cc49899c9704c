/** What running an image takes, whatever runtime does it. */
import type { Image } from "../image/image.ts";
import type { EmitEvent } from "../util/events.ts";
import type { Identity } from "./identity.ts";

/** The runtimes that `auto` tries before our own, in its order. */
export const triedRuntimes = ["podman", "docker", "apptainer", "singularity", "sarus"] as const;
export type TriedRuntime = (typeof triedRuntimes)[number];

/** The runtimes we know; those between are for who asks for them by name. */
export const runtimeNames = [...triedRuntimes, "podman-hpc", "enroot", "charliecloud", "namespace"] as const;

/** `namespace` is our own runner: an unprivileged user namespace, no other program than util-linux needed. */
export type RuntimeName = (typeof runtimeNames)[number];

/**
 * How the program finds the other ranks. `auto`: what an MPI launcher gave us is passed on, if one started us; `launcher`: the
 * same, and an error if none did; `none`: nothing is passed on; `host`: as `auto`, and the machine's MPI takes the place of
 * the container's (Sarus only).
 */
export const mpiModes = ["auto", "none", "launcher", "host"] as const;
export type MpiMode = (typeof mpiModes)[number];

/** Whose graphics processors the container sees. */
export const gpuKinds = ["nvidia", "rocm"] as const;
export type GpuKind = (typeof gpuKinds)[number];

/** A directory or file of this machine that the container sees. */
export interface Bind {
  /** On this machine; must exist. */
  readonly source: string;
  /** In the container; absolute. Made when missing. */
  readonly target: string;
  readonly readOnly: boolean;
}

/** What to run, and how. */
export interface RunOptions {
  /** Opened; whoever opened it closes it. */
  readonly image: Image;
  /** Program and arguments; empty: the image's own command. */
  readonly command: readonly string[];
  readonly binds?: readonly Bind[];
  /** Directory to start in, in the container; default: the image's, else `/`. */
  readonly workdir?: string | undefined;
  /**
   * Set over the image's own environment. Nothing else of this process's environment is passed on but `TERM`, and what an MPI
   * launcher set (see `launcher.ts`).
   */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Default `image`: the command is handed to the image's entrypoint. `none`: the command itself is the program. `shell`: an
   * interactive shell, whatever the command, with the variables that the image's programs have.
   */
  readonly entrypoint?: "image" | "none" | "shell";
  /** Default `auto`. */
  readonly mpi?: MpiMode;
  /** Default none. */
  readonly gpu?: GpuKind | undefined;
  /** Default `auto`: the first one that is here and works. */
  readonly runtime?: RuntimeName | "auto";
  /** `host` (default): the machine's network, as HPC runtimes do. `none`: only a loopback interface. */
  readonly network?: "host" | "none";
  /** Give the program a terminal; default: when standard input and output are one. */
  readonly tty?: boolean | undefined;
  /** Refuse writing outside binds and the temporary directories; default: what is written is dropped at the end. */
  readonly readOnly?: boolean;
  /** Be root in the container, without the rights of root on this machine; default: the user who runs us. */
  readonly fakeroot?: boolean;
  /** Instead of running, hands over the command line that would run (quoted for a shell). */
  readonly print?: ((commandLine: string) => void) | undefined;
  /** Called before the program takes the place of this process, which happens under an MPI launcher; nothing is said after it. */
  readonly leave?: (() => void) | undefined;
  readonly emit?: EmitEvent;
  /** Stops the preparation; once the program runs it is asked to end (SIGTERM). */
  readonly signal?: AbortSignal | undefined;
  /** Where unpacked images are kept; default {@link cacheHome}. */
  readonly cacheDirectory?: string;
}

/** One of the scripts that an Apptainer image is started by, and its arguments. */
export interface OwnScript {
  /** `run`: what the image is for; `exec`: the command given, with the image's variables. */
  readonly action: "run" | "exec";
  readonly args: readonly string[];
}

/** A container about to be started: everything resolved, the same for every runtime. */
export interface ContainerProcess {
  /** Program and arguments; entrypoint included. */
  readonly argv: readonly [string, ...string[]];
  /** For an image that its own scripts start: their arguments. Apptainer runs such an image by itself. */
  readonly ownScript: OwnScript | undefined;
  /** The whole environment, the image's included. */
  readonly env: ReadonlyMap<string, string>;
  /** What was asked for over the image's environment: all that runtimes which read the image's need to be told. */
  readonly extraEnv: ReadonlyMap<string, string>;
  readonly workdir: string;
  readonly binds: readonly Bind[];
  readonly network: "host" | "none";
  readonly tty: boolean;
  readonly readOnly: boolean;
  readonly gpu: GpuKind | undefined;
  /** The machine's MPI takes the place of the container's. */
  readonly hostMpi: boolean;
  /** Who the program is in the container. */
  readonly user: Identity;
  /** Root was asked for, whoever runs us. */
  readonly fakeroot: boolean;
  /** An MPI launcher started us, whether or not the program learns of it; it watches what it started. */
  readonly isWatched: boolean;
  /** What the program is given of an MPI launcher. */
  readonly launch:
    | { readonly descriptor: number | undefined; readonly devices: readonly string[] }
    | undefined;
}
