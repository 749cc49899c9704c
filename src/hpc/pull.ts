/** Command lines by which each runtime brings an image from a registry to this machine. */
import { formatReference, parseReference } from "../registry/reference.ts";
import { SpacktainersError } from "../util/errors.ts";

/** Runtimes that pull by themselves, the one clusters prefer first. */
export const pullRuntimes = ["sarus", "apptainer", "singularity", "podman", "docker"] as const;
export type PullRuntime = (typeof pullRuntimes)[number];

/** Name and password for a registry. */
export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

/** What to pull. */
export interface PullTask {
  /** `oras`: a SIF file that was pushed as an artifact, for Apptainer and Singularity. */
  readonly transport: "docker" | "oras";
  /** `host/path:tag`, without a scheme. */
  readonly reference: string;
  /** Apptainer and Singularity: the SIF file to write. */
  readonly file: string;
  /** Overwrite it. */
  readonly force: boolean;
  /** The registry speaks plain HTTP. */
  readonly plainHttp: boolean;
  readonly credentials: RegistryCredentials | undefined;
}

/** How to start a runtime. Secrets are in `env`, `input` or `files`, never in `argv`, which everybody on the machine can read. */
export interface PullCommand {
  readonly argv: readonly [string, ...string[]];
  /** Variables to set over our own. */
  readonly env: Readonly<Record<string, string>>;
  /** For standard input. */
  readonly input: string | undefined;
  /**
   * Files, by name, to write in a fresh directory that only we may read, and the variable that is to name it (`directory`) or the one
   * file in it (`file`).
   */
  readonly secretFile:
    | {
        readonly name: string;
        readonly text: string;
        readonly variable: string;
        readonly names: "directory" | "file";
      }
    | undefined;
}

/**
 * The command of a runtime.
 *
 * @param program path of the runtime
 * @throws SpacktainersError NOT_SUPPORTED for what the runtime cannot do
 */
export function pullCommand(runtime: PullRuntime, program: string, task: PullTask): PullCommand {
  const { reference, credentials, plainHttp } = task;
  const none = { env: {}, input: undefined, secretFile: undefined };
  if (task.transport === "oras" && runtime !== "apptainer" && runtime !== "singularity")
    throw new SpacktainersError("NOT_SUPPORTED", `${runtime} does not pull SIF files`, {
      hint: "Apptainer and Singularity do; a container image is docker://NAME",
    });
  if (runtime === "apptainer" || runtime === "singularity") {
    const prefix = runtime.toUpperCase();
    return {
      ...none,
      argv: [
        program,
        "pull",
        ...(task.force ? ["--force"] : []),
        ...(plainHttp ? ["--no-https"] : []),
        task.file,
        `${task.transport}://${reference}`,
      ],
      env:
        credentials === undefined
          ? {}
          : {
              [`${prefix}_DOCKER_USERNAME`]: credentials.username,
              [`${prefix}_DOCKER_PASSWORD`]: credentials.password,
            },
    };
  }
  if (runtime === "sarus") {
    if (plainHttp)
      throw new SpacktainersError("NOT_SUPPORTED", "Sarus has no option for a registry without TLS", {
        hint: "name it as insecure in ~/.config/containers/registries.conf.d",
      });
    if (credentials === undefined) return { ...none, argv: [program, "pull", reference] };
    return {
      ...none,
      argv: [program, "pull", "-u", credentials.username, "--password-stdin", reference],
      input: credentials.password,
    };
  }
  const auth = credentials === undefined ? undefined : authFile(reference, credentials);
  if (runtime === "podman")
    return {
      ...none,
      argv: [program, "pull", ...(plainHttp ? ["--tls-verify=false"] : []), reference],
      secretFile:
        auth === undefined
          ? undefined
          : { name: "auth.json", text: auth, variable: "REGISTRY_AUTH_FILE", names: "file" },
    };
  // Docker's daemon decides for itself which registries may speak plain HTTP: those of the loopback interface may.
  return {
    ...none,
    argv: [program, "pull", reference],
    secretFile:
      auth === undefined
        ? undefined
        : { name: "config.json", text: auth, variable: "DOCKER_CONFIG", names: "directory" },
  };
}

/** Credentials in the form of Docker's configuration, which Podman reads too (containers-auth.json(5)). */
function authFile(reference: string, { username, password }: RegistryCredentials): string {
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  return JSON.stringify({ auths: { [registryHost(reference)]: { auth } } });
}

/** The registry's host, with a port where there is one. */
function registryHost(reference: string): string {
  return reference.split("/", 1)[0] ?? "";
}

/**
 * Reads the name of an image as runtimes are to be given it: with its registry, in lower case but for the tag.
 *
 * @param text `[docker://][HOST[:PORT]/]PATH[:TAG][@DIGEST]`
 * @throws SpacktainersError REFERENCE_INVALID
 */
export function pullReference(text: string): string {
  const plain = text.replace(/^docker:\/\//, "");
  const [, name = "", rest = ""] = /^(.*?)((?::[^/:@]*)?(?:@.*)?)$/s.exec(plain) ?? [];
  return formatReference(parseReference(`${name.toLowerCase()}${rest}`));
}
