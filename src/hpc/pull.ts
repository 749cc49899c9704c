/** Command lines by which each runtime brings an image from a registry to this machine. */

import { dockerHub, formatReference, parseReference } from "../registry/reference.ts";
import { SpacktainersError } from "../util/errors.ts";
import { enrootReference } from "./runtimes/enrootImage.ts";

/** Runtimes that pull by themselves, the one clusters prefer first. */
export const pullRuntimes = [
  "sarus",
  "apptainer",
  "singularity",
  "podman-hpc",
  "podman",
  "docker",
  "enroot",
  "shifter",
  "charliecloud",
] as const;
export type PullRuntime = (typeof pullRuntimes)[number];

/** The program of each that pulls, where it is not called like the runtime. */
export const pullPrograms: Readonly<Partial<Record<PullRuntime, string>>> = {
  shifter: "shifterimg",
  charliecloud: "ch-image",
};

/** The end of the name of the file that a runtime writes; undefined: it keeps images in a store of its own. */
export function pulledEnding(runtime: PullRuntime): ".sif" | ".sqsh" | undefined {
  if (runtime === "apptainer" || runtime === "singularity") return ".sif";
  return runtime === "enroot" ? ".sqsh" : undefined;
}

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
  /** The file to write, for those that write one: see {@link pulledEnding}. */
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
  if (runtime === "enroot") {
    return {
      ...none,
      // It writes over no file: who may overwrite removes it before.
      argv: [
        program,
        "import",
        "--output",
        task.file,
        `docker://${credentials === undefined ? "" : `${credentials.username}@`}${enrootReference(reference)}`,
      ],
      env: plainHttp ? { ENROOT_ALLOW_HTTP: "y" } : {},
      secretFile:
        credentials === undefined
          ? undefined
          : {
              name: ".credentials",
              text: netrcLines(registryHost(reference), credentials),
              variable: "ENROOT_CONFIG_PATH",
              names: "directory",
            },
    };
  }
  if (runtime === "shifter") {
    if (plainHttp)
      throw cannot(
        "Shifter",
        "has no option for a registry without TLS",
        "its gateway's configuration names registries",
      );
    if (credentials !== undefined)
      throw cannot(
        "Shifter",
        "asks for a password itself",
        `\`shifterimg login ${registryHost(reference)}\`, then run this again without credentials`,
      );
    return { ...none, argv: [program, "pull", `docker:${reference}`] };
  }
  if (runtime === "charliecloud")
    return {
      ...none,
      argv: [
        program,
        ...(plainHttp ? ["--tls-no-verify"] : []),
        "pull",
        ...(credentials === undefined ? [] : ["--auth"]),
        reference,
      ],
      env:
        credentials === undefined
          ? {}
          : { CH_IMAGE_USERNAME: credentials.username, CH_IMAGE_PASSWORD: credentials.password },
    };
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
  if (runtime === "podman" || runtime === "podman-hpc")
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

function cannot(who: string, what: string, hint: string): SpacktainersError {
  return new SpacktainersError("NOT_SUPPORTED", `${who} ${what}`, { hint });
}

/**
 * Lines of a netrc file, as enroot reads it: words between blanks, hosts without their ports. It looks at them for a user that is named.
 * @throws SpacktainersError NOT_SUPPORTED: a password that cannot stand there
 */
function netrcLines(host: string, { username, password }: RegistryCredentials): string {
  // A dollar sign at the beginning would be a variable's name.
  if (!/^[\w.$-]+$/.test(username) || /[\s#"'\\]/.test(password) || password.startsWith("$"))
    throw cannot(
      "enroot",
      "cannot be given a user or password with blanks or quotes in it",
      "write them into enroot's .credentials yourself",
    );
  // Docker Hub asks for them elsewhere.
  const hosts = host === dockerHub ? ["registry-1.docker.io", "auth.docker.io"] : [host.replace(/:\d+$/, "")];
  return hosts.map((one) => `machine ${one} login ${username} password ${password}\n`).join("");
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
