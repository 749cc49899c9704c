import { type Command, InvalidArgumentError, Option } from "commander";

/** Collects a repeatable option. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/** Parses a whole number of at least 1. */
export function positiveInteger(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError("not a whole number of at least 1");
  return number;
}

/** `--arch`, on every verb that selects containers. */
export function addSelectionOptions(command: Command): Command {
  return command.addOption(new Option("--arch <arch>", "only this architecture").choices(["amd64", "arm64"]));
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
      "build cache to use instead of the configured ones (repeatable, in order)",
      collect,
    )
    .option(
      "--trust <keyfile>",
      "OpenPGP public key whose signatures are trusted, besides the configured ones (repeatable)",
      collect,
    )
    .option("--refresh", "ask the caches and the base's archive again, whatever is known already");
}
