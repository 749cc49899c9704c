import { Command } from "commander";
import type { AddResult } from "../../commands/add/addContainer.ts";
import { shownPath } from "../../util/shownPath.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addCacheOptions, addSelectionOptions, type CacheOptions } from "../options.ts";
import { resultLine } from "../resultLine.ts";

interface AddOptions extends CacheOptions {
  readonly arch?: string;
}

/** `add`: a container. */
export function addVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("add")
    .summary("add a container to the repository")
    .description(
      "Writes the definition of a container with these Spack specs, and shows whether the build caches have its packages. The first spec gives the container its version. Overwrites no file.",
    )
    .argument("<name>", "name of the container, or arch/name")
    .argument("<specs...>", "Spack specs, in quotes if the shell would interpret them");
  return addCacheOptions(addSelectionOptions(command))
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers add simulation 'neuron+mpi' 'py-numpy@1.26:'
  $ spacktainers add arm64/tools hdf5 +mpi`,
    )
    .action(
      verbAction<AddOptions>(program, outcome, async (context, options, [name = "", ...specs]) => {
        const { addContainer } = await import("../../commands/add/addContainer.ts");
        const added = await addContainer({
          directory: context.directory,
          name,
          specs,
          arch: options.arch,
          caches: options.cache ?? [],
          trust: options.trust ?? [],
          refresh: options.refresh === true,
          emit: context.reporter.emit,
          signal: context.signal,
        });
        context.reporter.close();
        if (context.json) context.print(resultLine("add", added));
        else context.print(addText(added, context.directory));
        return 0;
      }),
    );
}

/** What was added, and whether the caches have it, for people. */
function addText({ name, arch, path, caches, pipelines }: AddResult, directory: string): string {
  const hint = caches.state === "complete" || caches.hint === undefined ? [] : [`    hint: ${caches.hint}`];
  const answer =
    caches.state === "complete"
      ? [
          `  the caches have it: ${caches.packages} package${caches.packages === 1 ? "" : "s"}, with ${caches.roots.join(", ")}`,
        ]
      : caches.state === "incomplete"
        ? ["  the caches do not have it:", ...caches.problems.map((problem) => `    ${problem}`)]
        : [`  whether the caches have it is not known: ${caches.reason}`];
  const renewed = pipelines.map((file) => `  ${file} has it, too`);
  const next =
    caches.state === "incomplete"
      ? `to have Spack build what is missing: spacktainers build ${name} --compile`
      : `next: spacktainers build ${name}`;
  return [`${name} ${arch}  ${shownPath(path, directory)}`, ...answer, ...hint, ...renewed, `  ${next}`].join(
    "\n",
  );
}
