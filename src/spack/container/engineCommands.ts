/** Command lines of the engines that run a builder image. */
import { existsSync, writeFileSync } from "node:fs";
import type { BuilderEngine } from "../../definitions/executorNames.ts";
import { mountOption } from "../../run/mountOption.ts";
import type { Bind } from "../../run/types.ts";
import { temporaryPath } from "../../util/atomicFile.ts";
import { shellWord } from "../../util/shellQuote.ts";
import type { InnerCommand, OuterCommand } from "./builderContainer.ts";

/** How an engine is to run an image. */
export interface EngineRun {
  readonly engine: BuilderEngine;
  readonly program: string;
  /** What the engine knows the image by; of Buildah: the working container. */
  readonly reference: string;
  /** A fresh name for the container. */
  readonly name: string;
  readonly binds: readonly Bind[];
  /** For programs that know only these two folders. */
  readonly temporary: string;
  /** Options by which files belong to whoever runs us. */
  readonly user: readonly string[];
}

/** Search path inside: the image's own software is where Linux has it. */
export const innerPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The home, which engines would set themselves; and where wanted both streams in their order, of which engines make two. */
const innerScript = (oneStream: boolean): string =>
  `HOME=$1; export HOME; shift; exec "$@"${oneStream ? " 2>&1" : ""}`;

/** Reads variables from a private file, and empties it: images need not have the program that removes files. */
const readScript = '. "$1" && : >"$1" && shift && exec "$@"';

function writeVariables(variables: readonly (readonly [string, string])[], folder: string): string {
  const path = temporaryPath(folder);
  const lines = variables.map(([name, value]) => `export ${name}=${shellWord(value)}\n`);
  writeFileSync(path, lines.join(""), { mode: 0o600, flag: "wx" });
  return path;
}

/** Variables that the engine itself would obey, and whose values are no secrets. */
const engineVariable =
  /^(?:PATH|HOME|USER|LOGNAME|TMPDIR|HOSTNAME|TERM|TZ|LC_.*|LD_.*|GO.*|XDG_.*|PYTHON.*|SPACK_.*)$/;

/** The command line. Values that may be secret (proxies have passwords in them) are not on it, but inherited. */
export function engineCommand(run: EngineRun, command: InnerCommand): OuterCommand {
  const { engine, program, reference, name, temporary } = run;
  const binds = run.binds.filter(({ source }) => existsSync(source));
  const set: NodeJS.ProcessEnv = {};
  const inner = [
    "/bin/sh",
    "-c",
    innerScript(command.oneStream === true),
    "sh",
    command.env.HOME ?? "/",
    ...command.argv,
  ];
  const variables = Object.entries(command.env).filter(
    (entry): entry is [string, string] => entry[0] !== "HOME" && entry[1] !== undefined,
  );
  const options = (): readonly string[] =>
    variables.map(([key, value]) => {
      if (engineVariable.test(key)) return `--env=${key}=${value}`;
      set[key] = value;
      return `--env=${key}`;
    });
  const tty = command.tty === true;
  if (engine === "apptainer" || engine === "singularity") {
    const prefix = engine.toUpperCase();
    set[`${prefix}_NO_EVAL`] = "1";
    for (const [key, value] of variables) set[`${prefix}ENV_${key}`] = value;
    const mounts = [
      ...binds,
      ...["/tmp", "/var/tmp"].map((target) => ({ source: temporary, target, readOnly: false })),
    ].map((bind) => `--mount=${mountOption(bind, "destination", "ro")}`);
    const all = ["--contain", "--cleanenv", "--writable-tmpfs", `--pwd=${command.cwd}`, ...mounts];
    return {
      argv: [program, "--silent", "exec", ...all, reference, ...inner],
      variables: set,
      cleanup: undefined,
    };
  }
  if (engine === "buildah") {
    const volumes = binds.map(
      ({ source, target, readOnly }) => `--volume=${source}:${target}:${readOnly ? "ro" : "rw"}`,
    );
    const shown = variables.filter(([key]) => engineVariable.test(key));
    const hidden = variables.filter(([key]) => !engineVariable.test(key));
    const all = [
      ...(tty ? ["--terminal"] : []),
      "--isolation=chroot",
      `--workingdir=${command.cwd}`,
      ...volumes,
      ...shown.map(([key, value]) => `--env=${key}=${value}`),
    ];
    // It takes none from its own environment.
    const file = hidden.length === 0 ? [] : [writeVariables(hidden, temporary)];
    const reading = file.length === 0 ? [] : ["/bin/sh", "-c", readScript, "sh", ...file];
    return {
      argv: [program, "run", ...all, reference, "--", ...reading, ...inner],
      variables: set,
      cleanup: undefined,
    };
  }
  const all = [
    "--rm",
    `--name=${name}`,
    "--network=host",
    // Everything that is said is in our own log.
    "--log-driver=none",
    ...(tty ? ["--interactive", "--tty"] : []),
    ...(engine === "podman" ? ["--security-opt=label=disable"] : []),
    ...run.user,
    ...binds.map((bind) => `--mount=${mountOption(bind, "target", "readonly")}`),
    ...options(),
    `--workdir=${command.cwd}`,
    "--entrypoint=/bin/sh",
  ];
  return {
    argv: [program, "run", ...all, reference, ...inner.slice(1)],
    variables: set,
    // Podman would wait for 10 seconds before it kills.
    cleanup: [program, "rm", "--force", ...(engine === "podman" ? ["--time=2"] : []), name],
  };
}
