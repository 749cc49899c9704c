import { SpacktainersError } from "../util/errors.ts";

/**
 * Refuses a first word of a command line that is an option, which no program is called: it was meant for us, or for a program that
 * is not named.
 *
 * @param command the command line of a container: program and arguments
 * @throws SpacktainersError USAGE
 */
export function expectProgram(command: readonly string[]): void {
  const [word] = command;
  if (word?.startsWith("-"))
    throw new SpacktainersError("USAGE", `\`${word}\` is not the name of a program`, {
      hint: "put options of spacktainers before --, and the program first after it: NAME -- PROGRAM ARGUMENTS",
    });
}
