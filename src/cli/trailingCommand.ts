import type { Command } from "commander";
import { SpacktainersError } from "../util/errors.ts";

/**
 * Makes a verb take a command line after its first argument (`run IMAGE PROGRAM ARGUMENTS`, or `run IMAGE -- PROGRAM ARGUMENTS`).
 * Options belong to spacktainers before the image, and behind it until `--` or a word that is no option; all that follows is the command.
 */
export function takesTrailingCommand(command: Command): Command {
  return command.passThroughOptions().hook("preAction", async (_program, verb) => {
    const [image, ...words] = verb.args;
    if (image === undefined) return;
    const { operands, unknown } = verb.parseOptions(words);
    const [option] = unknown;
    if (option !== undefined) {
      if (option === "--help" || option === "-h") verb.help();
      const { didYouMean } = await import("../definitions/nearest.ts");
      const known = verb.options.flatMap(({ long }) => (long == null ? [] : [long]));
      throw new SpacktainersError("USAGE", `unknown option '${option}'`, {
        hint:
          didYouMean(option, known) ??
          `put what belongs to the program after --: spacktainers ${verb.name()} ${image} -- PROGRAM ${option}`,
      });
    }
    verb.args = [image, ...operands];
    const [, wanted] = verb.registeredArguments;
    if (wanted?.required === true && operands.length === 0)
      throw new SpacktainersError("USAGE", `missing required argument '${wanted.name()}'`, {
        hint: `spacktainers ${verb.name()} ${image} -- PROGRAM ARGUMENTS`,
      });
  });
}
