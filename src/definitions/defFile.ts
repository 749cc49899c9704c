/**
 * Apptainer definition files (`*.def`): stages, each a header of `Keyword: value` lines and `%sections`. The rules are those
 * of Apptainer 1.4's reader, so that a file without errors here is one for it as well.
 */
import type { Place } from "../util/errors.ts";
import { didYouMean } from "./nearest.ts";
import { type ProblemList, type Problems, problemList } from "./problems.ts";

/** A `Keyword: value` line of a header. */
export interface DefHeader {
  readonly value: string;
  readonly place: Place;
}

/** A section: one `%name arguments` line and what follows it; several of one name are one. */
export interface DefSection {
  /** In lower case, without the `%`. */
  readonly name: string;
  /** What follows the name on its line. */
  readonly args: readonly string[];
  /** The lines below, as they are, without blank lines at the end. */
  readonly lines: readonly DefLine[];
  /** Of its first line. */
  readonly place: Place;
}

/** A line of a section. */
export interface DefLine {
  readonly text: string;
  /** Counts from 1. */
  readonly line: number;
}

/** A stage. The last one is the image. */
export interface DefStage {
  /** By keyword in lower case. */
  readonly headers: ReadonlyMap<string, DefHeader>;
  /** `docker`, `library`, `localimage`, … in lower case. */
  readonly bootstrap: string | undefined;
  readonly from: string | undefined;
  readonly sections: readonly DefSection[];
}

/** A definition file. */
export interface DefinitionFile extends Problems {
  /** At least one when there are no errors. */
  readonly stages: readonly DefStage[];
  /** Of the last stage. */
  readonly bootstrap: string | undefined;
  /** What follows `From:` in the last stage. */
  readonly from: string | undefined;
  /** The tag of the image it starts from (`latest` when it names none); undefined when there is no such image. */
  readonly version: string | undefined;
  /** The text with the values of `%arguments` filled in: what Apptainer keeps in the image. */
  readonly text: string;
}

/** Sections of the whole container. */
const commonSections = [
  "help",
  "setup",
  "files",
  "labels",
  "environment",
  "pre",
  "post",
  "runscript",
  "test",
  "startscript",
  "arguments",
] as const;
/** Sections of one app, whose name is their argument. */
const appSections = [
  "appinstall",
  "appenv",
  "applabels",
  "appfiles",
  "apphelp",
  "apprun",
  "apptest",
  "appstart",
] as const;
const knownSections: readonly string[] = [...commonSections, ...appSections];

/** Keywords of headers, in lower case. */
const knownHeaders: readonly string[] = [
  ...["bootstrap", "from", "includecmd", "mirrorurl", "updateurl", "osversion", "include", "library"],
  ...["registry", "namespace", "stage", "product", "user", "regcode", "productpgp", "registerurl", "modules"],
  ...["otherurl0", "otherurl1", "otherurl2", "otherurl3", "otherurl4", "otherurl5", "otherurl6", "otherurl7"],
  ...["otherurl8", "otherurl9", "fingerprints", "confurl", "setopt"],
];

/** Ways to start that need `From:`. */
const needFrom = new Set([
  ...["docker", "oras", "library", "shub", "localimage", "oci", "oci-archive", "docker-archive"],
  ...["docker-daemon"],
]);
/** Ways to start whose `From:` has a tag. */
const tagged = new Set(["docker", "oras", "library"]);

/** An app's name becomes part of paths and of variables. */
const appNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/**
 * Reads a definition file.
 *
 * @param file name for places
 * @returns everything that could be read, and every problem, with line and column
 */
export function readDefFile(text: string, file: string): DefinitionFile {
  const problems = problemList();
  const filled = fillArguments(text, file, problems);
  const stages = readStages(filled, file, problems);
  const last = stages.at(-1);
  if (last === undefined || stages.some(({ bootstrap }) => bootstrap === undefined))
    problems.error("DEFINITION_INVALID", "the definition does not begin with `Bootstrap:`", {
      file,
      line: 1,
      column: 1,
    });
  const { bootstrap, from } = last ?? {};
  const tag =
    from === undefined ? undefined : /:([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})(?:@.*)?$/.exec(from)?.[1];
  return {
    stages,
    bootstrap,
    from,
    version:
      bootstrap !== undefined && tagged.has(bootstrap) && from !== undefined ? (tag ?? "latest") : undefined,
    text: filled,
    errors: problems.errors,
    warnings: problems.warnings,
  };
}

interface OpenStage {
  readonly headers: Map<string, DefHeader>;
  readonly sections: Map<string, { section: DefSection & { readonly lines: DefLine[] } }>;
}

function readStages(text: string, file: string, problems: ProblemList): readonly DefStage[] {
  const stages: OpenStage[] = [];
  let stage: OpenStage | undefined;
  let section: (DefSection & { readonly lines: DefLine[] }) | undefined;
  for (const [index, raw] of text.split("\n").entries()) {
    const line = index + 1;
    const content = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
    const at = (column: number): Place => ({ file, line, column });
    const indent = content.length - content.trimStart().length;
    if (content.startsWith("%", indent)) {
      if (indent > 0)
        problems.error(
          "DEFINITION_INVALID",
          "an indented % begins a section for Apptainer, which then does not know it",
          at(indent + 1),
          "start the line with something else, or remove the blanks before it",
        );
      stage ??= open(stages);
      section = startSection(stage, content.slice(indent), at(indent + 1), problems);
      continue;
    }
    // A header after a section begins another stage.
    if (/^bootstrap[ \t]*:/i.test(content) && (stage === undefined || section !== undefined)) {
      stage = open(stages);
      section = undefined;
    }
    if (section !== undefined) {
      section.lines.push({ text: content, line });
      continue;
    }
    const bare = withoutComment(content);
    if (bare.trim() === "") continue;
    stage ??= open(stages);
    readHeader(stage, bare, { indent, at, problems });
  }
  return stages.map((one) => finish(one, problems));
}

function open(stages: OpenStage[]): OpenStage {
  const stage: OpenStage = { headers: new Map(), sections: new Map() };
  stages.push(stage);
  return stage;
}

/** A comment begins with `#` at the beginning of a line or after a blank. */
function withoutComment(line: string): string {
  return line.replace(/(^|[ \t])#.*$/, "");
}

/** Where a line stands. */
interface HeaderLine {
  readonly indent: number;
  readonly at: (column: number) => Place;
  readonly problems: ProblemList;
}

function readHeader(stage: OpenStage, line: string, { indent, at, problems }: HeaderLine): void {
  const match = /^[ \t]*([A-Za-z0-9_-]+)[ \t]*:(.*)$/.exec(line);
  if (match === null) {
    problems.error(
      "DEFINITION_INVALID",
      "this is neither a `Keyword: value` line nor a section",
      at(indent + 1),
      "a section begins with % at the beginning of a line",
    );
    return;
  }
  const [, keyword = "", rest = ""] = match;
  const key = keyword.toLowerCase();
  const value = rest.trim();
  const place = at(indent + 1);
  if (!knownHeaders.includes(key))
    problems.error(
      "DEFINITION_INVALID",
      `\`${keyword}\` is not a keyword of a header`,
      place,
      didYouMean(key, knownHeaders),
    );
  else if (value === "") problems.error("DEFINITION_INVALID", `\`${keyword}:\` names nothing`, place);
  else if (stage.headers.has(key))
    problems.error("DEFINITION_INVALID", `\`${keyword}:\` is there twice`, place);
  else stage.headers.set(key, { value, place });
}

function startSection(
  stage: OpenStage,
  line: string,
  place: Place,
  problems: ProblemList,
): DefSection & { readonly lines: DefLine[] } {
  const [word = "", ...args] = withoutComment(line)
    .slice(1)
    .trim()
    .split(/[ \t]+/);
  const name = word.toLowerCase();
  const isApp = (appSections as readonly string[]).includes(name);
  if (line.startsWith("% ") || word === "" || !knownSections.includes(name))
    problems.error(
      "DEFINITION_INVALID",
      `\`%${word}\` is not a section`,
      place,
      word === "" ? undefined : didYouMean(name, knownSections),
    );
  else if (isApp && (args.length !== 1 || !appNamePattern.test(args[0] ?? "")))
    problems.error(
      "DEFINITION_INVALID",
      `\`%${name}\` must name one app: letters, digits, \`.\`, \`_\`, \`-\``,
      place,
    );
  const key = isApp ? `${name} ${args[0] ?? ""}` : name === "files" ? `files ${args.join(" ")}` : name;
  const known = stage.sections.get(key);
  if (known !== undefined) return known.section;
  const section = { name, args, lines: [] as DefLine[], place };
  stage.sections.set(key, { section });
  return section;
}

function finish(stage: OpenStage, problems: ProblemList): DefStage {
  const header = (key: string): DefHeader | undefined => stage.headers.get(key);
  const bootstrap = header("bootstrap")?.value.toLowerCase();
  const from = header("from")?.value;
  if (bootstrap !== undefined && needFrom.has(bootstrap) && from === undefined)
    problems.error("DEFINITION_INVALID", "the definition has no `From:`", header("bootstrap")?.place ?? {});
  return {
    headers: stage.headers,
    bootstrap,
    from,
    sections: [...stage.sections.values()].map(({ section }) => ({
      ...section,
      lines: withoutBlankEnd(section.lines),
    })),
  };
}

function withoutBlankEnd(lines: readonly DefLine[]): readonly DefLine[] {
  let end = lines.length;
  while (end > 0 && lines[end - 1]?.text.trim() === "") end--;
  return lines.slice(0, end);
}

/** Puts the values of `%arguments` (`NAME=value` lines) in place of `{{ NAME }}`. */
function fillArguments(text: string, file: string, problems: ProblemList): string {
  if (!text.includes("{{")) return text;
  const values = new Map<string, string>();
  let inside = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("%")) inside = /^%arguments\b/i.test(line);
    const match = inside ? /^[ \t]*([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line) : null;
    if (match !== null) values.set(match[1] ?? "", (match[2] ?? "").trim());
  }
  return text.replace(
    /\{\{[ \t\n]*([A-Za-z_][A-Za-z0-9_]*)[ \t\n]*\}\}/g,
    (whole, name: string, offset: number) => {
      const value = values.get(name);
      if (value !== undefined) return value;
      const before = text.slice(0, offset).split("\n");
      problems.error(
        "DEFINITION_INVALID",
        `the argument \`${name}\` has no value`,
        { file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 },
        `give it one in %arguments: ${name}=value`,
      );
      return whole;
    },
  );
}
