import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { type CommandModel, commandModel } from "../../../src/cli/commandModel.ts";
import { makeProgram } from "../../../src/cli/program.ts";
import { verbs } from "../../../src/cli/verbs.ts";
import { readConfiguration } from "../../../src/definitions/configuration.ts";
import { readManifest } from "../../../src/environment/manifest.ts";

const root = resolve(import.meta.dirname, "../../..");
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const textOf = (page: string): string => readFileSync(join(root, page), "utf8");
const program = commandModel(makeProgram(Object.values(verbs), { status: 0 }).program);

/** The fenced blocks of a page: their language and lines. */
function blocksOf(page: string): readonly { readonly language: string; readonly text: string }[] {
  return [...textOf(page).matchAll(/^[ >]*```(\w*)[^\n]*\n(.*?)^[ >]*```/gms)].map(
    ([, language = "", text = ""]) => ({ language, text }),
  );
}

/** Calls of the program in a page's blocks. */
function commandLinesOf(page: string): readonly string[] {
  return blocksOf(page)
    .filter(({ language }) => ["sh", "console", "bash", ""].includes(language))
    .flatMap(({ text }) => text.replaceAll("\\\n", " ").split("\n"))
    .flatMap((line) => [...(/(?:^|\$ |&& |npx )(spacktainers .*)$/.exec(line.trim())?.slice(1, 2) ?? [])]);
}

/** What of a command line no verb knows. */
function unknownIn(line: string): readonly string[] {
  const [words = ""] = line.split(/ -- | [|<>&#;]|\)/);
  let command: CommandModel = program;
  const unknown: string[] = [];
  for (const word of words.split(/\s+/).slice(1)) {
    const inner = command.commands.find(({ path }) => path.at(-1) === word);
    if (inner !== undefined) command = inner;
    else if (/^--?[a-z]/i.test(word)) {
      const [name = ""] = word.replace(/["'`.,]+$/, "").split("=");
      const known = [program, command].some(({ options }) =>
        options.some(({ names }) => names.includes(name)),
      );
      // What stands behind an image is the program's own.
      if (!known && !/^(?:run|exec)$/.test(command.path.join(" ")))
        unknown.push(`${command.path.join(" ")} ${name}`);
    } else if (command === program && /^[a-z]/.test(word)) return [`the verb ${word}`];
  }
  return unknown;
}

/** The name that GitHub gives a heading. */
const anchorOf = (heading: string): string =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

describe("the pages", () => {
  it("would be wrong with what no verb knows", () => {
    expect(unknownIn("spacktainers build x --jbos 2 -o oci:y | cat --not-ours")).toEqual(["build --jbos"]);
    expect(unknownIn("spacktainers bild x")).toEqual(["the verb bild"]);
    expect(unknownIn("spacktainers --json run x -- program --its-own")).toEqual([]);
    expect(pages.flatMap(commandLinesOf).length).toBeGreaterThan(100);
  });

  it.each(pages)("%s has command lines that the program understands", (page) => {
    expect(commandLinesOf(page).flatMap((line) => unknownIn(line).map((what) => `${what}: ${line}`))).toEqual(
      [],
    );
  });

  it.each(pages)("%s has links that lead somewhere", (page) => {
    const text = textOf(page).replace(/^[ >]*```.*?^[ >]*```/gms, "");
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = ""]) => {
      if (/^[a-z]+:/.test(link)) return [];
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : join(dirname(page), path);
      if (!existsSync(join(root, target))) return [link];
      if (anchor === undefined || !target.endsWith(".md")) return [];
      const headings = [...textOf(target).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
        anchorOf(heading),
      );
      return headings.includes(anchor) ? [] : [link];
    });
    expect(broken).toEqual([]);
  });

  it.each(pages)("%s has examples of YAML that `check` takes", (page) => {
    const wrong = blocksOf(page)
      .filter(({ language, text }) => language === "yaml" && !text.includes("…"))
      .flatMap(({ text }) => {
        if (
          /^spack:\n +(?:specs|definitions|include|packages|env_vars|view|concretizer|container)\b/m.test(
            text,
          )
        )
          return readManifest(text, page).errors.map(({ message }) => message);
        const keys =
          /^(?:caches|base|registries|platforms|layers|linkage|sites|install|view|signing|epilogue|image):/m;
        // A site has `image:`, too.
        if (!keys.test(text) || /^runtime:/m.test(text)) return [];
        return readConfiguration(text, join(root, page)).problems.errors.map(({ message }) => message);
      });
    expect(wrong).toEqual([]);
  });
});
