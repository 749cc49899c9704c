/** The fenced blocks of the documentation, and what runs them. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** A fenced block. */
export interface Block {
  /** Relative to the project. */
  readonly page: string;
  /** Of its fence, from 1. */
  readonly line: number;
  readonly language: string;
  /** Words behind the language: `illustration` for what no test runs, `demo` for a session in the demo's repository. */
  readonly marks: readonly string[];
  readonly text: string;
  /** The headings that it stands below, the outermost first. */
  readonly headings: readonly string[];
}

/** What may have been done before a session marked with `demo`. */
export const demoStates = ["locked", "built", "sif", "catalogue", "registry"] as const;

/** The pages that promise that their blocks are true. */
export const pages: readonly string[] = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .sort()
    .map((name) => `docs/${name}`),
];

/** The blocks of a page, in order. */
export function blocksOf(page: string): readonly Block[] {
  const blocks: Block[] = [];
  const headings: string[] = [];
  const lines = readFileSync(join(root, page), "utf8").split("\n");
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const heading = /^(#+) (.*)/.exec(line);
    if (heading !== null) headings.splice((heading[1] ?? "").length - 1, headings.length, heading[2] ?? "");
    const fence = /^([ >]*)(`{3,})(.*)$/.exec(line);
    if (fence === null) continue;
    const [, indent = "", ticks = "", info = ""] = fence;
    const begin = at + 1;
    while (++at < lines.length && lines[at]?.trim().replace(/^> ?/, "") !== ticks) {
      // What is inside belongs to the block.
    }
    const [language = "", ...marks] = info.trim().split(/\s+/);
    const text = lines
      .slice(begin, at)
      .map((one) => one.slice(indent.length))
      .join("\n");
    blocks.push({ page, line: begin, language, marks, text: `${text}\n`, headings: [...headings] });
  }
  return blocks;
}

/** A test that runs, or reads as the program does, blocks of the documentation as they stand there. */
export interface BlockRunner {
  readonly test: string;
  readonly runs: (block: Block) => boolean;
}

const shellOf =
  (page: string) =>
  (block: Block): boolean =>
    block.page === page && block.language === "sh";

/** Every one; a block that none runs is marked as an illustration. */
export const runners: readonly BlockRunner[] = [
  {
    test: "test/integration/first-container.test.ts",
    runs: (block) =>
      shellOf("docs/first-container.md")(block) && /: \w+ commands$/.test(block.headings.at(-1) ?? ""),
  },
  { test: "test/integration/docs-firstCache.test.ts", runs: shellOf("docs/first-cache.md") },
  {
    test: "test/integration/docs-migrate.test.ts",
    runs: (block) => shellOf("docs/migrate.md")(block) && block.headings.at(-1) === "Try it",
  },
  { test: "test/integration/hpc-guide.test.ts", runs: shellOf("docs/hpc.md") },
  {
    test: "test/integration/hpc-guide.test.ts",
    runs: ({ page, language }) => page === "docs/hpc.md" && language === "console",
  },
  {
    test: "test/integration/builder.test.ts",
    runs: ({ page, headings, language }) =>
      page === "docs/recipes.md" && headings.length === 2 && /^(?:sh|yaml|dockerfile)$/.test(language),
  },
  {
    test: "test/integration/library.test.ts",
    runs: (block) => block.page === "docs/library.md" && (block.language === "js" || isPrinted(block)),
  },
  { test: "test/integration/docs-examples.test.ts", runs: ({ marks }) => marks.includes("demo") },
  {
    // What `check` says of manifests and configurations.
    test: "test/cli/manual/pages.test.ts",
    runs: ({ language, text }) =>
      language === "yaml" &&
      !text.includes("…") &&
      (/^spack:\n +(?:specs|definitions|include|packages|env_vars|view|concretizer|container)\b/m.test(
        text,
      ) ||
        (/^(?:caches|base|registries|platforms|layers|linkage|sites|install|view|signing|epilogue|image):/m.test(
          text,
        ) &&
          !/^runtime:/m.test(text))),
  },
];

/** What an example of the library prints: the block behind it. */
function isPrinted(block: Block): boolean {
  const all = blocksOf(block.page);
  const before = all[all.findIndex(({ line }) => line === block.line) - 1];
  if (block.language !== "" || before?.language !== "js") return false;
  return block.line - before.line === before.text.split("\n").length + 2;
}
