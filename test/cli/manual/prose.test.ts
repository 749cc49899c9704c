import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { type CommandModel, commandModel } from "../../../src/cli/commandModel.ts";
import { makeProgram } from "../../../src/cli/program.ts";
import { verbs } from "../../../src/cli/verbs.ts";

const root = resolve(import.meta.dirname, "../../..");

/** Phrases that a reader has to puzzle over. The section "Style of prose" of CONTRIBUTING.md says what to write instead. */
const refused: readonly RegExp[] = [
  /\b(?:is|are) told\b/,
  /\btells of\b/,
  /\bcounts? more\b/,
  /\bof ours\b/,
  /\banew\b/,
  /\bpassed over\b/,
  /\bWhat of\b/,
  /\b(?:has|have) no word\b/,
  /\b(?:nobody|who) vouches for this\b/,
  /\bwhat no cache has\b/i,
  /\bwhat (?:the )?caches lack\b/i,
  /\bsays so\b/,
  /\bwhoever runs\b/,
  /\bbeside (?:the|a|its) (?:definition|manifest|image|lock|index)\b/,
  /\bmade again from what\b/,
  /\bwhat is there\b/,
  /\bfor want of\b/,
  /\bcannot be had\b/,
  /\bfilled in where\b/,
  /\bnever stands? on\b/,
  /\bour own runner\b/i,
];

interface Text {
  readonly place: string;
  readonly text: string;
}

/** The phrases that texts have, each with the place of its text. */
const refusedIn = (texts: readonly Text[]): readonly string[] =>
  texts.flatMap(({ place, text }) =>
    refused.flatMap((pattern) => {
      const found = pattern.exec(text);
      if (found === null) return [];
      const line = text.slice(0, found.index).split("\n").length;
      return [`${place.replace(/:(\d+)$/, (_, from: string) => `:${Number(from) + line - 1}`)} ${found[0]}`];
    }),
  );

const filesBelow = (folder: string, ending: RegExp): readonly string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => ending.test(path))
    .map((path) => join(root, folder, path));

/** Paragraphs may break a phrase. */
const page = (path: string): Text => ({
  place: `${relative(root, path)}:1`,
  text: readFileSync(path, "utf8")
    // Examples of what not to write.
    .replace(/^## Style of prose\n.*?^## /ms, (section) => section.replace(/[^\n]/g, ""))
    .replace(/(?<=\S) *\n(?=[^\n|`])/g, " \n"),
});

/** Texts of a source: strings and templates, without comments and regular expressions. */
function textsOf(path: string): readonly Text[] {
  const source = readFileSync(path, "utf8");
  const token =
    /\/\/[^\n]*|\/\*.*?\*\/|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|\/(?:\[[^\]\n]*\]|[^/\n\\*]|\\.)+\/[a-z]*(?=[\s.,;)])/gs;
  return [...source.matchAll(token)]
    .filter(([text]) => text.startsWith('"') || text.startsWith("`"))
    .map(({ 0: text, index }) => ({
      place: `${relative(root, path)}:${source.slice(0, index).split("\n").length}`,
      // Templates in templates may enclose code.
      text: text.replace(/\/\*.*?\*\//gs, (comment) => comment.replace(/[^\n]/g, "")),
    }));
}

const helpOf = (command: CommandModel): readonly Text[] => [
  {
    place: `${command.path.join(" ")} --help`,
    text: [
      command.summary,
      command.description,
      ...command.arguments.map(({ description }) => description),
      ...command.options.map(({ description }) => description),
    ].join("\n"),
  },
  ...command.commands.flatMap(helpOf),
];

describe("phrases that are refused", () => {
  it("are found with their line", () => {
    const text = "First.\nThe user is told.\nBuild what no cache has.";
    expect(refusedIn([{ place: "page.md:10", text }])).toEqual([
      "page.md:11 is told",
      "page.md:12 what no cache has",
    ]);
  });

  it("are not in help texts", () => {
    const help = helpOf(commandModel(makeProgram(Object.values(verbs), { status: 0 }).program));
    expect(help.length).toBeGreaterThan(Object.keys(verbs).length);
    expect(refusedIn(help)).toEqual([]);
  });

  it("are not in messages, hints and other texts of the program", () => {
    const sources = filesBelow("src", /(?<!\/data\/[^/]*)\.ts$/);
    expect(refusedIn(sources.flatMap(textsOf))).toEqual([]);
  });

  it("are not in pages, schemas and forms", () => {
    const pages = [
      ...readdirSync(root)
        .filter((name) => name.endsWith(".md"))
        .map((name) => join(root, name)),
      ...filesBelow("docs", /\.md$/),
      ...filesBelow("src", /\.md$/),
      ...filesBelow("schema", /\.json$/),
      ...filesBelow(".github", /\.(?:md|yml)$/),
    ];
    expect(refusedIn(pages.map(page))).toEqual([]);
  });
});
