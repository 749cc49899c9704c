import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hostEnvironment } from "../../util/surroundings.ts";
import { environmentPaths } from "../environmentText.ts";
import type { Spack } from "../spack.ts";
import { type SpackContext, spackCommand } from "../spackCommand.ts";

/** A process to start on this machine. */
export interface SpackProcess {
  readonly argv: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  /** See `Step`. */
  readonly cleanup: readonly [string, ...string[]] | undefined;
}

/** Where and how a process of Spack's runs. */
export interface SpackProcessPlace {
  readonly cwd: string;
  /** Whether a person sits at it. */
  readonly tty?: boolean;
  /** As in `InnerCommand`. */
  readonly oneStream?: boolean;
}

/** The process that runs a command of Spack's: on this machine, or in the builder image. */
export function spackProcess(
  spack: Spack,
  context: SpackContext,
  args: readonly string[],
  { cwd, tty = false, oneStream = false }: SpackProcessPlace,
): SpackProcess {
  const { argv, env } = spackCommand(spack, context, args);
  if (spack.container === undefined) return { argv, env, cleanup: undefined };
  const paths = pathsOf(context);
  const {
    argv: outer,
    variables,
    cleanup,
  } = spack.container.wrap({
    argv,
    env,
    cwd,
    paths,
    tty,
    oneStream,
  });
  return { argv: outer, env: { ...hostEnvironment(), ...variables }, cleanup };
}

/** What an environment reads besides its own folder, to be shown in a builder image. */
export function pathsOf(context: SpackContext): readonly string[] {
  if (!("environment" in context)) return [];
  return environmentPaths(readFileSync(join(context.environment, "spack.yaml"), "utf8"));
}
