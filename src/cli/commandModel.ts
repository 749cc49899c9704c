import type { Command } from "commander";

/** A command of the program as its help has it: what completions and man pages are made of. */
export interface CommandModel {
  /** Words after the program's name: none for the program itself, `["sif", "list"]`. */
  readonly path: readonly string[];
  readonly summary: string;
  readonly description: string;
  /** What follows the words: `[options] [names...]`. */
  readonly usage: string;
  readonly arguments: readonly ArgumentModel[];
  readonly options: readonly OptionModel[];
  /** What stands at the end of the help: examples, as lines; may be empty. */
  readonly epilogue: string;
  readonly commands: readonly CommandModel[];
}

/** An argument of a command. */
export interface ArgumentModel {
  readonly name: string;
  readonly description: string;
  readonly variadic: boolean;
}

/** An option of a command. */
export interface OptionModel {
  /** As the help has it: `-j, --jobs <n>`. */
  readonly flags: string;
  /** `--jobs`, and `-j` where there is one. */
  readonly names: readonly string[];
  /** Name of its value: `n`; undefined when it takes none. */
  readonly value: string | undefined;
  /** The values that it may have; undefined: others. */
  readonly choices: readonly string[] | undefined;
  readonly description: string;
}

/** Reads a command and those below it. Hidden ones are left out. */
export function commandModel(command: Command, path: readonly string[] = []): CommandModel {
  const help = command.createHelp();
  return {
    path,
    summary: command.summary(),
    description: command.description(),
    usage: command.usage(),
    arguments: help.visibleArguments(command).map((argument) => ({
      name: argument.name(),
      description: argument.description,
      variadic: argument.variadic,
    })),
    options: help.visibleOptions(command).map((option) => ({
      flags: option.flags,
      names: [option.long, option.short].filter((name) => typeof name === "string"),
      value: option.required || option.optional ? /[<[]([^>\]]*)/.exec(option.flags)?.[1] : undefined,
      choices: option.argChoices,
      description: help.optionDescription(option),
    })),
    epilogue: textAfterHelp(command),
    commands: help
      .visibleCommands(command)
      .filter((each) => command.commands.includes(each))
      .map((each) => commandModel(each, [...path, each.name()])),
  };
}

/** What `addHelpText` put after the help. Commander has no other way to ask for it than to print the help. */
function textAfterHelp(command: Command): string {
  const before = command.configureOutput();
  let text = "";
  command.configureOutput({
    ...before,
    writeOut: (part) => {
      text += part;
    },
  });
  const help = command.helpInformation();
  command.outputHelp();
  command.configureOutput(before);
  return text.slice(help.length).trim();
}
