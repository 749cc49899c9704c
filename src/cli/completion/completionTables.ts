import type { CommandModel } from "../commandModel.ts";
import { argumentValueKind, optionValueKind, type ValueKind } from "./valueKind.ts";

/** A word that a shell may propose, and what it means. */
export interface Proposal {
  readonly word: string;
  readonly description: string;
}

/** What a shell needs to know, by words of the command line. A path is the words of a command: `""`, `"sif list"`. */
export interface CompletionTables {
  readonly commands: readonly { readonly path: string; readonly proposals: readonly Proposal[] }[];
  readonly options: readonly { readonly path: string; readonly proposals: readonly Proposal[] }[];
  /** Options that take a value; `keys` are `PATH OPTION`, with `*` for any path. */
  readonly values: readonly { readonly keys: readonly string[]; readonly answer: string }[];
  /** Arguments; `keys` are `PATH POSITION`, positions from 0, with `*` for any from there on. */
  readonly arguments: readonly { readonly keys: readonly string[]; readonly answer: string }[];
}

/** Makes the tables of a program. Answers are `@containers`, `@files` and the like; words, separated by blanks; or nothing. */
export function completionTables(program: CommandModel): CompletionTables {
  const all = everyCommand(program);
  const pathOf = ({ path }: CommandModel): string => path.join(" ");
  return {
    commands: all
      .filter(({ commands }) => commands.length > 0)
      .map((command) => ({
        path: pathOf(command),
        proposals: command.commands.map(({ path, summary }) => ({
          word: path.at(-1) ?? "",
          description: summary,
        })),
      })),
    options: all.map((command) => ({
      path: pathOf(command),
      proposals: command.options.flatMap(({ names, description }) =>
        names.slice(0, 1).map((word) => ({ word, description })),
      ),
    })),
    values: valueRows(all),
    arguments: grouped(
      all.flatMap((command) =>
        command.arguments.map((argument, position) => ({
          key: `${pathOf(command)} ${argument.variadic ? "*" : position}`,
          answer: answerOf(argumentValueKind(argument)),
        })),
      ),
    ),
  };
}

function everyCommand(command: CommandModel): readonly CommandModel[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** An option that means the same wherever it is has one row. */
function valueRows(commands: readonly CommandModel[]): CompletionTables["values"] {
  const answers = new Map<string, Map<string, string>>();
  for (const command of commands)
    for (const option of command.options) {
      const kind = optionValueKind(option);
      for (const name of kind === undefined ? [] : option.names) {
        const known = answers.get(name) ?? new Map<string, string>();
        answers.set(name, known.set(command.path.join(" "), answerOf(kind)));
      }
    }
  const takesNone = (name: string): boolean =>
    commands.some(({ options }) =>
      options.some((one) => one.names.includes(name) && one.value === undefined),
    );
  return grouped(
    [...answers].flatMap(([name, byPath]) => {
      const [first, ...others] = new Set(byPath.values());
      return first !== undefined && others.length === 0 && !takesNone(name)
        ? [{ key: `* ${name}`, answer: first }]
        : [...byPath].map(([path, answer]) => ({ key: `${path} ${name}`, answer }));
    }),
  );
}

function answerOf(kind: ValueKind | undefined): string {
  if (kind === undefined || kind.kind === "none") return "";
  return kind.kind === "words" ? kind.words.join(" ") : `@${kind.kind}`;
}

/** Rows by answer; keys for anything come after all others. */
function grouped(
  rows: readonly { readonly key: string; readonly answer: string }[],
): readonly { readonly keys: readonly string[]; readonly answer: string }[] {
  const byAnswer = new Map<string, { readonly keys: string[]; readonly answer: string }>();
  const isPattern = (key: string): boolean => key.startsWith("* ") || key.endsWith(" *");
  for (const { key, answer } of [...rows].sort(
    (a, b) => Number(isPattern(a.key)) - Number(isPattern(b.key)),
  )) {
    const group = `${isPattern(key)} ${answer}`;
    const row = byAnswer.get(group) ?? { keys: [], answer };
    row.keys.push(key);
    byAnswer.set(group, row);
  }
  return [...byAnswer.values()];
}
