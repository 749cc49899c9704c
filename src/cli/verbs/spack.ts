import { Command } from "commander";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addCacheOptions, addSelectionOptions, type CacheOptions } from "../options.ts";

interface SpackVerbOptions extends CacheOptions {
  readonly container?: string;
  readonly arch?: string;
}

/** `spack`: the repository's real Spack. */
export function spackVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("spack")
    .summary("run the real Spack that spacktainers builds packages with")
    .description(
      "Runs the Spack that spacktainers.yaml names (by default release 1.1.0), with its recipes, and without the configuration of your own Spack or of the site. With --container, Spack works in a copy of the container's environment. Returns Spack's exit status.",
    )
    .argument("<args...>", "command line of Spack, after --")
    .option("--container <name>", "container in whose environment Spack works")
    .passThroughOptions();
  addSelectionOptions(command);
  return addCacheOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers spack -- info hdf5
  $ spacktainers spack --container simulation -- find -lv
  $ spacktainers spack --container simulation -- spec hdf5+mpi`,
    )
    .action(
      verbAction<SpackVerbOptions>(program, outcome, async (context, options, words) => {
        const { runRepositorySpack } = await import("../../commands/spack/runRepositorySpack.ts");
        return runRepositorySpack({
          directory: context.directory,
          caches: options.cache ?? [],
          trust: options.trust ?? [],
          emit: context.reporter.emit,
          signal: context.signal,
          container: options.container,
          arch: options.arch,
          args: words[0] === "--" ? words.slice(1) : words,
          begin: () => context.reporter.close(),
        });
      }),
    );
}
