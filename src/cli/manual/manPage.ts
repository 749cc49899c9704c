import type { CommandModel, OptionModel } from "../commandModel.ts";

/** What every page says of the program. */
export interface ManualEdition {
  readonly version: string;
  /** Day of the sources, `2026-01-31`; empty when it is not known. */
  readonly date: string;
}

/** The page of a command, in the language of man(7). The program's own page lists the others. */
export function manPage(
  command: CommandModel,
  others: readonly CommandModel[],
  facts: ManualEdition,
): string {
  const name = pageName(command);
  const isProgram = command.path.length === 0;
  return [
    `.TH ${word(name.toUpperCase())} 1 "${facts.date}" ${word(`spacktainers ${facts.version}`)} "Spacktainers manual"`,
    ".SH NAME",
    `${roff(name)} \\- ${roff(command.summary || command.description.replace(/\.$/, ""))}`,
    ".SH SYNOPSIS",
    synopsis(command),
    ...(isProgram ? [] : command.commands.flatMap((each) => [".br", synopsis(each)])),
    ".SH DESCRIPTION",
    roff(command.description),
    ...optionsSection(".SH", command),
    ...(isProgram
      ? [
          ".SH COMMANDS",
          ...command.commands.flatMap((each) => [
            ".TP",
            `.BR ${roff(pageName(each))} (1)`,
            roff(each.summary),
          ]),
        ]
      : command.commands.flatMap((each) => [
          `.SH ${word(`spacktainers ${each.path.join(" ")}`)}`,
          roff(each.description || each.summary),
          ...optionsSection(".SS", each),
          ...examples(".SS", each),
        ])),
    ...examples(".SH", command),
    ...(isProgram ? exitStatus : []),
    ".SH SEE ALSO",
    others.map((other) => `.BR ${roff(pageName(other))} (1)`).join(" ,\n"),
    "",
  ].join("\n");
}

/** `spacktainers-build`. */
export function pageName({ path }: Pick<CommandModel, "path">): string {
  return ["spacktainers", ...path].join("-");
}

const exitStatus: readonly string[] = [
  ".SH EXIT STATUS",
  ...(
    [
      ["0", "done"],
      ["1", "failed"],
      ["2", "wrong usage"],
      ["3", "a bad definition or configuration"],
      ["4", "something is not available: the network, a build cache, a registry"],
      ["5", "refused for trust"],
      ["130", "interrupted"],
    ] as const
  ).flatMap(([status, meaning]) => [".TP", `.B ${status}`, meaning]),
  ".PP",
  "A verb that runs a program returns its status.",
];

function synopsis({ path, usage }: CommandModel): string {
  return `.B ${roff(["spacktainers", ...path].join(" "))}\n${roff(usage)}`;
}

function optionsSection(level: ".SH" | ".SS", command: CommandModel): readonly string[] {
  const described = command.arguments.filter(({ description }) => description !== "");
  return [
    ...(described.length === 0 ? [] : [`${level} ARGUMENTS`]),
    ...described.flatMap(({ name, description }) => [".TP", `.I ${roff(name)}`, roff(description)]),
    ...(command.options.length === 0 ? [] : [`${level} OPTIONS`]),
    ...command.options.flatMap(option),
  ];
}

function option({ flags, description }: OptionModel): readonly string[] {
  const text = flags.replaceAll(/[^ ,=]+|[ ,=]+/g, (part) =>
    part.startsWith("-") ? `\\fB${roff(part)}\\fR` : roff(part),
  );
  return [".TP", text, roff(description)];
}

/** The end of the help: titles of their own, and lines as they are. */
function examples(level: ".SH" | ".SS", { epilogue }: CommandModel): readonly string[] {
  if (epilogue === "") return [];
  const lines = epilogue.split("\n");
  const title = /^(\w[\w ]*):$/.exec(lines[0] ?? "")?.[1];
  const body = title === undefined ? lines : lines.slice(1);
  return [
    `${level} ${word((title ?? "NOTES").toUpperCase())}`,
    ".nf",
    ...body.map((line) => roff(line.replace(/^ {2}/, ""))).map((line) => (line === "" ? ".sp" : line)),
    ".fi",
  ];
}

/** An argument of a macro. */
function word(text: string): string {
  return `"${roff(text).replaceAll('"', '""')}"`;
}

/** Text in which nothing is taken for a command of roff. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("`", "\\(ga")
    .replaceAll("'", "\\(aq")
    .replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha")
    .replaceAll("…", "...")
    .replaceAll(/^\./gm, "\\&.");
}
