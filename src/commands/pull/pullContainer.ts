/** From a command line of `pull` to an image in a runtime's store, or a SIF file. */
import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { RegistryConfiguration } from "../../definitions/configuration.ts";
import type { Repository } from "../../definitions/repository.ts";
import { selectContainers } from "../../definitions/select.ts";
import {
  type PullCommand,
  type PullRuntime,
  pullCommand,
  pulledEnding,
  pullPrograms,
  pullReference,
  pullRuntimes,
  type RegistryCredentials,
} from "../../hpc/pull.ts";
import { builtImage, defaultOutput, summaryOf } from "../../pipeline/images/builtImages.ts";
import { findForm, formText, imageName, pulledFile } from "../../pipeline/images/findImage.ts";
import { registryReference } from "../../pipeline/images/imageLocation.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { usesPlainHttp } from "../../registry/openRegistries.ts";
import { parseReference } from "../../registry/reference.ts";
import { settingsOf } from "../../registry/registrySettings.ts";
import { temporaryBeside } from "../../util/atomicFile.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { shellLine } from "../../util/shellQuote.ts";
import { hostEnvironment } from "../../util/surroundings.ts";
import { findProgram, lastLine, runTool } from "../../util/tool.ts";

/** Finds the name and password for an image's repository; undefined when it needs none or none is known. */
export type FindCredentials = (
  reference: string,
  registry: RegistryConfiguration | undefined,
  context: { readonly emit: EmitEvent; readonly signal: AbortSignal },
) => Promise<RegistryCredentials | undefined>;

/** A command line of `pull`. */
export interface PullRequest {
  readonly directory: string;
  /** A container's name, or `[docker://|oras://]HOST/PATH[:TAG][@DIGEST]`. */
  readonly image: string;
  readonly arch: string | undefined;
  /** Instead of the tag that the configuration has. */
  readonly tag: string | undefined;
  readonly runtime: PullRuntime | "auto";
  /** SIF or squashfs file; default `<name>.sif`, `<name>.sqsh`. */
  readonly file: string | undefined;
  readonly force: boolean;
  /** The registry speaks plain HTTP, even if neither the configuration says so nor it is on this machine. */
  readonly plainHttp: boolean;
  /** Asked when the configuration names no credentials. */
  readonly registryCredentials: FindCredentials | undefined;
  /** Instead of pulling, hands over the command line (quoted for a shell), without secrets. */
  readonly print: ((commandLine: string) => void) | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** What was pulled. */
export interface Pulled {
  readonly reference: string;
  readonly runtime: PullRuntime;
  /** The file, of those that write one. */
  readonly file: string | undefined;
}

/**
 * Pulls an image by the runtime named, or the first that is here: Sarus, Apptainer, Singularity, podman-hpc, Podman,
 * Docker, enroot, Shifter, Charliecloud.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `USAGE` (no reference), `RUNTIME_MISSING`, `ACCESS_DENIED` (a variable with
 *   a password is not set), `OUTPUT_EXISTS`, `PROCESS_FAILED` (the runtime's own words), `INTERRUPTED`
 */
export async function pullContainer(request: PullRequest): Promise<Pulled> {
  const repository = await openSoundRepository(request.directory);
  const { registries } = repository.configuration;
  const { transport, reference, name } = await referenceOf(request, repository);
  const { runtime, program } = await chooseRuntime(request.runtime);
  const ending = pulledEnding(runtime);
  const file =
    request.file === undefined
      ? pulledFile(request.directory, name).replace(/\.sif$/, ending ?? ".sif")
      : resolve(request.directory, request.file);
  if (request.file !== undefined && ending === undefined)
    throw new SpacktainersError(
      "USAGE",
      `--output is for SIF and squashfs files; ${runtime} keeps images in its own store`,
    );
  const printing = request.print !== undefined;
  if (ending !== undefined && !request.force && !printing && (await exists(file)))
    throw new SpacktainersError("OUTPUT_EXISTS", "the file exists already", {
      place: { file },
      hint: "overwrite it with --force, or name another one with --output",
    });
  const credentials = printing ? undefined : await credentialsFor(reference, registries, request);
  // Sarus and Shifter have no option for it: the configuration of their site says which registries speak plain HTTP.
  const plainHttp =
    request.plainHttp ||
    (runtime !== "sarus" &&
      runtime !== "shifter" &&
      usesPlainHttp(parseReference(reference).host, registries));
  const { force } = request;
  const command = pullCommand(runtime, program, {
    transport,
    reference,
    file,
    force,
    plainHttp,
    credentials,
  });
  if (request.print !== undefined) {
    request.print(shellLine(command.argv));
    return { reference, runtime, file: ending === undefined ? undefined : file };
  }
  // enroot overwrites nothing; what it makes appears whole or not at all.
  const aside = runtime === "enroot" ? await temporaryBeside(file) : undefined;
  try {
    const argv = aside === undefined ? command.argv : replaced(command.argv, file, aside);
    await perform({ ...command, argv }, reference, runtime, request);
    if (aside !== undefined) await rename(aside, file);
  } finally {
    if (aside !== undefined) await rm(aside, { force: true });
  }
  return { reference, runtime, file: ending === undefined ? undefined : file };
}

/** A command line with another file. */
function replaced([program, ...args]: PullCommand["argv"], file: string, other: string): PullCommand["argv"] {
  return [program, ...args.map((word) => (word === file ? other : word))];
}

/** What a command line asks a registry for. */
interface Wanted {
  readonly transport: "docker" | "oras";
  readonly reference: string;
  readonly name: string;
}

async function referenceOf(request: PullRequest, repository: Repository): Promise<Wanted> {
  const { directory, image, tag } = request;
  const form = await findForm(image, directory);
  if (form?.kind === "reference") return wantedOf(form.transport, form.name, tag);
  if (form !== undefined)
    throw new SpacktainersError("NOT_SUPPORTED", `${image} is in no registry: there is nothing to pull`, {
      hint: `pull takes a container's name, docker://NAME or oras://NAME; run and exec take ${formText(form)} as it is, and sif writes a SIF file of it`,
    });
  const arch = asArchitecture(request.arch);
  const known = await selectContainers(repository, {
    names: [image],
    cwd: directory,
    arch,
  }).catch((error: unknown) => {
    if (error instanceof SpacktainersError && image.includes("/")) return [];
    throw error;
  });
  const [container] = known;
  if (container === undefined) return wantedOf("docker", image, tag);
  const { output, registries } = repository.configuration;
  const built = await builtImage(defaultOutput(output, container));
  // What is published under the version is what was built here; without a build, what the registry has newest.
  const subject = { name: container.name, container, version: built && summaryOf(built).version };
  const found = registryReference(registries, subject, tag);
  if (found === undefined)
    throw new SpacktainersError("USAGE", "no registry is configured", {
      hint: "write `registries:` in spacktainers.yaml, or give the whole reference",
    });
  return { transport: "docker", reference: pullReference(found.reference), name: container.name };
}

function wantedOf(transport: "docker" | "oras", text: string, tag: string | undefined): Wanted {
  if (tag !== undefined)
    throw new SpacktainersError("USAGE", "--tag works only for containers of this repository", {
      hint: "write the tag of another image behind its name: HOST/PATH:TAG",
    });
  const reference = pullReference(text);
  return { transport, reference, name: imageName(reference) };
}

async function chooseRuntime(
  wanted: PullRuntime | "auto",
): Promise<{ readonly runtime: PullRuntime; readonly program: string }> {
  for (const runtime of wanted === "auto" ? pullRuntimes : [wanted]) {
    const program = await findProgram(pullPrograms[runtime] ?? runtime);
    if (program !== undefined) return { runtime, program };
  }
  throw new SpacktainersError(
    "RUNTIME_MISSING",
    wanted === "auto" ? "no runtime that pulls images is installed here" : `${wanted} is not installed here`,
    {
      hint:
        wanted === "auto"
          ? `known are ${pullRuntimes.join(", ")}`
          : "leave out --with to use an installed runtime",
    },
  );
}

async function credentialsFor(
  reference: string,
  registries: readonly RegistryConfiguration[],
  request: PullRequest,
): Promise<RegistryCredentials | undefined> {
  const { host } = parseReference(reference);
  const configured = settingsOf(host, registries);
  if (configured?.username !== undefined && configured.password !== undefined) {
    const read = (variable: string): string => {
      const value = hostEnvironment()[variable];
      if (value === undefined || value === "")
        throw new SpacktainersError(
          "ACCESS_DENIED",
          `the variable ${variable}, which the configuration names for ${host}, is not set`,
        );
      return value;
    };
    return {
      username: read(configured.username.environmentVariable),
      password: read(configured.password.environmentVariable),
    };
  }
  return request.registryCredentials?.(reference, configured, request);
}

async function perform(
  command: PullCommand,
  reference: string,
  runtime: PullRuntime,
  { emit, signal }: PullRequest,
): Promise<void> {
  const task = {
    kind: "download",
    subject: `${reference} ${runtime}`,
    label: `${reference} by ${runtime}`,
    signal,
  } as const;
  await runTask(emit, task, async () => {
    const { secretFile } = command;
    let folder: string | undefined;
    try {
      const env: NodeJS.ProcessEnv = { ...hostEnvironment(), ...command.env };
      if (secretFile !== undefined) {
        // Memory, where there is some, so that the secret never reaches a disk.
        folder = await mkdtemp(join(await secretPlace(), "spacktainers-"));
        await chmod(folder, 0o700);
        const path = join(folder, secretFile.name);
        const text =
          runtime === "docker" ? await withDockerContext(secretFile.text, folder) : secretFile.text;
        await writeFile(path, text, { mode: 0o600, flag: "wx" });
        env[secretFile.variable] = secretFile.names === "file" ? path : folder;
      }
      const { input } = command;
      const result = await runTool(command.argv, {
        env,
        signal,
        input: input === undefined ? undefined : textInput(input),
      });
      stopIfAborted(signal);
      if (result.status !== 0)
        throw new SpacktainersError(
          "PROCESS_FAILED",
          `${runtime} cannot pull ${reference}: ${lastLine(result.stderr) || lastLine(result.stdout) || `status ${result.status}`}`,
          { hint: "check that the name is right and that you may read it" },
        );
    } finally {
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    }
  });
}

/** Docker's configuration also says which daemon is asked: that is the user's choice and stays. */
async function withDockerContext(text: string, folder: string): Promise<string> {
  const own = hostEnvironment().DOCKER_CONFIG ?? join(homedir(), ".docker");
  const written = await readFile(join(own, "config.json"), "utf8").catch(() => "{}");
  await symlink(join(own, "contexts"), join(folder, "contexts"));
  try {
    const { currentContext } = JSON.parse(written) as { currentContext?: unknown };
    return typeof currentContext === "string"
      ? JSON.stringify({ ...(JSON.parse(text) as object), currentContext })
      : text;
  } catch {
    return text;
  }
}

async function secretPlace(): Promise<string> {
  const memory = hostEnvironment().XDG_RUNTIME_DIR;
  if (
    memory !== undefined &&
    (await mkdir(memory, { recursive: true }).then(
      () => true,
      () => false,
    ))
  )
    return memory;
  return tmpdir();
}

async function* textInput(text: string): AsyncGenerator<Uint8Array, void, void> {
  yield Buffer.from(text);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
