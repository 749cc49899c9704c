/** What the sections of a definition file mean: texts, labels, files, apps, and what needs commands to be run. */
import type { Place } from "../util/errors.ts";
import type { DefSection, DefStage } from "./defFile.ts";
import { type ProblemList, type Problems, problemList } from "./problems.ts";

/** A script or text of a definition. */
export interface DefText {
  /** The lines below the section's name; for a script without its `#!` line. */
  readonly body: string;
  /** What comes after `#!`: of its own first line, else `/bin/sh` and the section's arguments. */
  readonly interpreter: string;
}

/** A line of `%files` or `%appfiles`. */
export interface DefFileCopy {
  /** A path or shell pattern on this machine, or in another stage. */
  readonly source: string;
  /** Where it goes; undefined: to the same path, each file that a pattern stands for to its own. */
  readonly target: string | undefined;
  readonly place: Place;
}

/** Sections that a stage and an app have alike. */
interface DefSections {
  readonly environment?: DefText;
  readonly runscript?: DefText;
  readonly startscript?: DefText;
  readonly test?: DefText;
  readonly help?: DefText;
  readonly labels: ReadonlyMap<string, string>;
}

/** An app (Scientific Filesystem). */
export interface DefApp extends DefSections {
  readonly name: string;
  readonly files: readonly DefFileCopy[];
}

/** The contents of one stage. */
export interface DefContents extends DefSections, Problems {
  /** From this machine. */
  readonly files: readonly DefFileCopy[];
  /** In the order in which they appear. */
  readonly apps: readonly DefApp[];
  /** Sections that run commands or take files from another stage, which is not done without Apptainer. */
  readonly needsApptainer: readonly { readonly what: string; readonly place: Place }[];
}

/** Works out what the sections of a stage mean. Every problem is reported, with line and column. */
export function defContents(stage: DefStage): DefContents {
  const problems = problemList();
  const texts: Partial<Record<TextName, DefText>> = {};
  let labels: ReadonlyMap<string, string> = new Map();
  const files: DefFileCopy[] = [];
  const needsApptainer: { readonly what: string; readonly place: Place }[] = [];
  const apps = new Map<string, MutableApp>();
  const appOf = (section: DefSection): MutableApp => {
    const name = section.args[0] ?? "";
    const app = apps.get(name) ?? { name, labels: new Map(), files: [] };
    apps.set(name, app);
    return app;
  };
  for (const section of stage.sections) {
    const { name, place, args } = section;
    const text = commonTexts[name];
    const appText = appTexts[name];
    if (text !== undefined) texts[text] = textOf(section, args);
    else if (appText !== undefined) appOf(section)[appText] = textOf(section, []);
    else if (name === "labels") labels = labelsOf(section);
    else if (name === "applabels") appOf(section).labels = labelsOf(section);
    else if (name === "appfiles") appOf(section).files.push(...copiesOf(section, problems));
    else if (name === "files" && args[0]?.toLowerCase() === "from")
      needsApptainer.push({ what: `%files from ${args.slice(1).join(" ")}`, place });
    else if (name === "files") files.push(...copiesOf(section, problems));
    else if (runsCommands.has(name) && section.lines.some(({ text }) => /^[ \t]*[^ \t#]/.test(text)))
      needsApptainer.push({ what: `%${[name, ...args].join(" ")}`, place });
    if (name === "appinstall") appOf(section);
  }
  return {
    ...texts,
    labels,
    files,
    apps: [...apps.values()],
    needsApptainer,
    errors: problems.errors,
    warnings: problems.warnings,
  };
}

type TextName = "environment" | "runscript" | "startscript" | "test" | "help";
type MutableApp = { -readonly [K in keyof Omit<DefApp, "files">]: DefApp[K] } & { files: DefFileCopy[] };

const commonTexts: Readonly<Record<string, TextName | undefined>> = {
  environment: "environment",
  runscript: "runscript",
  startscript: "startscript",
  test: "test",
  help: "help",
};
const appTexts: Readonly<Record<string, TextName | undefined>> = {
  appenv: "environment",
  apprun: "runscript",
  appstart: "startscript",
  apptest: "test",
  apphelp: "help",
};
const runsCommands = new Set(["setup", "pre", "post", "appinstall"]);

function textOf(section: DefSection, args: readonly string[]): DefText {
  const [first, ...rest] = section.lines;
  const isScript = section.name !== "help" && section.name !== "apphelp" && !/env/.test(section.name);
  const own = isScript ? /^[ \t]*#!(.*)$/.exec(first?.text ?? "")?.[1]?.trim() : undefined;
  const lines = own === undefined ? section.lines : rest;
  return {
    body: lines.map(({ text }) => text).join("\n"),
    interpreter: own ?? ["/bin/sh", ...args].join(" "),
  };
}

/** Labels: the first word of a line and the rest of it. */
function labelsOf(section: DefSection): ReadonlyMap<string, string> {
  const labels = new Map<string, string>();
  for (const { text } of section.lines) {
    const line = text.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [, key = "", value = ""] = /^(\S+)\s*(.*)$/.exec(line) ?? [];
    labels.set(key, value);
  }
  return labels;
}

/** Files: `source [target]` on a line; a name with blanks stands between double quotes. */
function copiesOf(section: DefSection, problems: ProblemList): readonly DefFileCopy[] {
  const copies: DefFileCopy[] = [];
  for (const { text, line } of section.lines) {
    const trimmed = text.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const column = text.length - text.trimStart().length + 1;
    const place: Place = { ...section.place, line, column };
    const words = [...trimmed.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
    const [source, target, extra] = words;
    if (source === undefined || source === "" || extra !== undefined || target === "")
      problems.error(
        "DEFINITION_INVALID",
        `a line of %${section.name} is a source and where it goes`,
        place,
        "put names with blanks between double quotes",
      );
    else copies.push({ source, target, place });
  }
  return copies;
}
