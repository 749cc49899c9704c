import { type Command, InvalidArgumentError, Option } from "commander";
import { type ExecutorName, executorNames } from "../definitions/executorNames.ts";

/** Options every verb has. */
export interface GlobalOptions {
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  /** `--color` / `--no-color`; undefined: decided by the terminal and `NO_COLOR`. */
  readonly color?: boolean | undefined;
  readonly directory?: string | undefined;
}

/** Collects a repeatable option. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/** Collects a repeatable option of the form `NAME=VALUE`; a name alone takes its value from the environment. */
export function collectAssignment(
  value: string,
  previous: readonly (readonly [string, string])[] | undefined,
): readonly (readonly [string, string])[] {
  const equals = value.indexOf("=");
  const name = equals < 0 ? value : value.slice(0, equals);
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new InvalidArgumentError("not of the form NAME=VALUE");
  const found = equals < 0 ? process.env[name] : value.slice(equals + 1);
  if (found === undefined) throw new InvalidArgumentError(`${name} is not set in the environment`);
  return [...(previous ?? []), [name, found]];
}

/** Parses a whole number of at least 1. */
export function positiveInteger(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError("not a whole number of at least 1");
  return number;
}

/** Options every verb has; they are accepted before and after the verb. */
export function addGlobalOptions(command: Command): Command {
  command
    .option("-C, --directory <dir>", "work as if started in this directory")
    .option("--json", "print one JSON document (long-running commands: JSON lines) on standard output")
    .option("-q, --quiet", "print only results, warnings and errors")
    .addOption(
      new Option("--color", "use colour and the live display (default: if the output is a terminal)"),
    )
    .addOption(new Option("--no-color", "use neither colour nor the live display"));
  // Commander makes `--color` default to true when `--no-color` exists; undefined means "decide by the terminal".
  command.setOptionValue("color", undefined);
  return command;
}

/** Whether bars are drawn; undefined: on a terminal. */
export interface BarOptions {
  readonly bars?: boolean;
}

/** Options of a verb that draws bars of bytes. @param when the default, in words */
export function addBarOptions(command: Command, when: string): Command {
  return command
    .addOption(new Option("--bars", `draw bytes by layer and package as bars (default: ${when})`))
    .addOption(new Option("--no-bars", "draw no bars"))
    .setOptionValue("bars", undefined);
}

/** The global options of a command line, wherever they stood; after the verb comes last and so counts. */
export function globalOptions(...commands: readonly Command[]): GlobalOptions {
  const { directory, json, quiet, color } = Object.assign(
    {},
    ...commands.map((command) =>
      Object.fromEntries(Object.entries(command.opts()).filter(([, value]) => value !== undefined)),
    ),
  ) as GlobalOptions;
  return {
    directory,
    json,
    quiet,
    color,
  };
}

/** `--arch`, on every verb that selects containers. */
export function addSelectionOptions(command: Command): Command {
  return command.addOption(
    new Option("--arch <arch>", "use only this architecture").choices(["amd64", "arm64"]),
  );
}

/** Options of {@link addCacheOptions}. */
export interface CacheOptions {
  readonly cache?: readonly string[];
  readonly trust?: readonly string[];
  readonly refresh?: boolean;
}

/** `--cache`, `--trust` and `--refresh`, on every verb that resolves packages. */
export function addCacheOptions(command: Command): Command {
  return command
    .option(
      "--cache <url>",
      "use this build cache instead of the configured ones (repeatable, in order)",
      collect,
    )
    .option(
      "--trust <keyfile>",
      "trust this OpenPGP public key in addition to those configured for a cache (repeatable)",
      collect,
    )
    .option("--refresh", "ask the caches and the base's archive again; do not use remembered answers");
}

/** Options of {@link addTargetOptions}. */
export interface TargetCacheOptions {
  readonly sign?: string;
  readonly unsigned?: boolean;
  readonly layout?: "v2" | "v3";
}

/** `--sign`, `--unsigned` and `--layout`, on every verb that writes packages into a build cache. */
export function addTargetOptions(command: Command): Command {
  return command
    .option(
      "--sign <key>",
      "OpenPGP key that signs: a file, env://NAME, or gpg://FINGERPRINT (default: as configured for the cache)",
    )
    .option("--unsigned", "write a cache without signatures")
    .addOption(
      new Option(
        "--layout <layout>",
        "layout to write (default: the layout of each package's Spack)",
      ).choices(["v2", "v3"]),
    );
}

/** Options of {@link addResourcesOptions}. */
export interface ResourcesOptions extends CacheOptions {
  readonly jobs?: number | undefined;
}

/** `--jobs` and {@link addCacheOptions}, on every verb that works on packages. */
export function addResourcesOptions(command: Command): Command {
  return addCacheOptions(
    command.option(
      "-j, --jobs <n>",
      "number of packages to handle at a time (default: one per core)",
      positiveInteger,
    ),
  );
}

/** Options of {@link addInstallOptions}. */
export interface InstallFlags {
  readonly strip: boolean;
  readonly keepMetadata?: boolean;
}

/** `--no-strip` and `--keep-metadata`, on every verb that decides what of a package is installed. */
export function addInstallOptions(command: Command): Command {
  return command
    .option("--no-strip", "keep debug sections and symbol tables")
    .option("--keep-metadata", "keep the packages' .spack folders");
}

/** Options of {@link addFailFastOption}. */
export interface FailFastOptions {
  readonly failFast?: boolean;
}

/** `--fail-fast`, on every verb that works on several containers for long. */
export function addFailFastOption(command: Command): Command {
  return command.option(
    "--fail-fast",
    "stop at the first container that fails (default: continue with the others)",
  );
}

/** Options of {@link addImageOptions}. */
export interface ImageOptions extends InstallFlags, FailFastOptions {
  readonly arch?: string;
  readonly allowUnresolved?: readonly string[];
  readonly buildArg?: readonly (readonly [string, string])[];
  readonly epilogueNetwork?: boolean;
  readonly frozen?: boolean;
}

/**
 * Options on every verb that decides what an image is.
 *
 * @param refused what `--frozen` keeps from happening: `build`
 */
export function addImageOptions(command: Command, refused: string): Command {
  return addFailFastOption(addInstallOptions(addSelectionOptions(command)))
    .option(
      "--allow-unresolved <name>",
      "allow this library or interpreter to be missing from the image (repeatable)",
      collect,
    )
    .option(
      "--build-arg <name=value>",
      "value for an ARG of a Dockerfile.epilogue (repeatable)",
      collectAssignment,
    )
    .option("--epilogue-network", "let the commands of a Dockerfile.epilogue use the network")
    .option("--frozen", `refuse to ${refused} anything that differs from the locks next to the definition`);
}

/** Options of {@link addBuildingOptions}. */
export interface BuildingOptions {
  /** `--compile`, `--no-compile`; undefined: as configured. */
  readonly compile?: boolean;
  readonly solve?: boolean;
  readonly fresh?: boolean;
  readonly keepGoing?: boolean | undefined;
  readonly onlyDependencies?: boolean;
  readonly until?: string;
  readonly executor?: ExecutorName;
  readonly builder?: string;
}

/** Options on every verb that lets real Spack build what no cache has. */
export function addBuildingOptions(command: Command): Command {
  command
    .addOption(
      new Option(
        "--compile",
        "let Spack build the packages that no cache has (default: `spack: build:`)",
      ).default(undefined),
    )
    .addOption(new Option("--no-compile", "fail if no cache has a package"));
  // Commander makes `--compile` default to true when `--no-compile` exists; undefined means "as configured".
  command.setOptionValue("compile", undefined);
  return addSolveOptions(command)
    .option("--keep-going", "when a package fails, continue with the packages that do not need it")
    .option("--only-dependencies", "build only the dependencies of the specs, and no image")
    .option("--until <phase>", "build the specs only up to this phase, such as `configure`, and no image");
}

/** `--executor` and `--builder`, on every verb that may run Spack. */
export function addExecutorOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--executor <where>",
        "where to build packages: on this machine, in the builder image, or as Slurm jobs (default: `spack: executor:`)",
      ).choices(executorNames),
    )
    .option(
      "--builder <image>",
      "builder image: a reference, SIF file, OCI layout, OCI archive or root directory (default: `spack: builder:`)",
    );
}

/** `--solve`, `--fresh` and where Spack runs, on every verb that chooses packages for a lock. */
export function addSolveOptions(command: Command): Command {
  return addExecutorOptions(command)
    .option("--solve", "let Spack choose the packages, even if the caches or a lock suffice")
    .option("--fresh", "let Spack choose the newest version of every package, even if no cache has it");
}
