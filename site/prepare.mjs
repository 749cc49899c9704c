// Collects what the site is made of in `content/`: the pages in `docs/`, the README as the front page, and a page for each
// command from the same source as its `--help`. Needs a built project (`npm run build` at the root).
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const root = resolve(import.meta.dirname, "..");
const content = join(import.meta.dirname, "content");
const { repository } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const sources = `${repository.url.replace(/^git\+/, "").replace(/\.git$/, "")}/blob/main`;

rmSync(content, { recursive: true, force: true });
mkdirSync(join(content, "commands"), { recursive: true });
for (const page of readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md")))
  write(page, inSite(read(`docs/${page}`), "docs"));
if (existsSync(join(root, "docs/images")))
  cpSync(join(root, "docs/images"), join(content, "images"), { recursive: true });
write("index.md", inSite(read("README.md"), ""));
for (const page of ["CONTRIBUTING", "CHANGELOG", "SECURITY"])
  write(`${page.toLowerCase()}.md`, inSite(read(`${page}.md`), ""));
write("codes.md", codesPage(read("docs/errors.md")));
const { program } = await commandModels();
for (const command of program.commands) write(`commands/${command.path.join("-")}.md`, commandPage(command));
write("commands/index.md", commandsPage(program));
write("options.md", optionsPage(program));

function read(path) {
  return readFileSync(join(root, path), "utf8");
}

function write(path, text) {
  writeFileSync(join(content, path), text);
}

/** A page with its links as they are in the site; `folder` is where it lies in the repository. */
function inSite(page, folder) {
  return outsideCode(page, (part) =>
    part.replaceAll(/\]\(([^)\s]+)\)/g, (_, target) => `](${linkInSite(target, folder)})`),
  );
}

function linkInSite(target, folder) {
  if (/^[a-z]+:|^#/.test(target)) return target;
  const [path, fragment = ""] = target.split("#");
  const anchor = fragment === "" ? "" : `#${fragment}`;
  const full = join(folder, path);
  if (full === "README.md") return `/${anchor}`;
  const page = /^docs\/([\w-]+)\.md$/.exec(full)?.[1];
  if (page !== undefined) return `/${page}${anchor}`;
  if (full.startsWith("docs/images/")) return `/${full.slice("docs/".length)}`;
  if (/^(CONTRIBUTING|CHANGELOG|SECURITY)\.md$/.test(full))
    return `/${full.slice(0, -3).toLowerCase()}${anchor}`;
  if (!existsSync(join(root, full)))
    throw new Error(`there is no ${full}, to which a page in ${folder || "."} links`);
  return `${sources}/${full}${anchor}`;
}

/** Changes what is neither a block nor a span of code. What the generator would fill in is kept as it is. */
function outsideCode(page, change) {
  return page
    .split(/(^ *```[\s\S]*?^ *```$|`[^`\n]+`)/m)
    .map((part, at) => {
      if (at % 2 === 0) return change(part).replaceAll("{{", "&#123;&#123;");
      if (part.trimStart().startsWith("```") || !part.includes("{{")) return part;
      return `<code v-pre>${part.slice(1, -1).replaceAll(/[<>&|]/g, (found) => `&#${found.charCodeAt(0)};`)}</code>`;
    })
    .join("");
}

/** A section for each error code, from the tables in docs/errors.md: whoever searches for a code finds what to do. */
function codesPage(errors) {
  const sections = [];
  let status = "";
  for (const line of errors.split("\n")) {
    status = /^Status (\d+), /.exec(line)?.[1] ?? status;
    const [, code, rest] = /^\| `([A-Z][A-Z_]+)` \| (.*) \|$/.exec(line) ?? [];
    if (code === undefined || status === "") continue;
    const [meaning = "", remedy = ""] = rest
      .split(/ \| /)
      .map((part) => part.replace(/^\|\s*|\s*\|$/g, "").trim());
    sections.push(
      `## ${code}`,
      "",
      `**Meaning:** ${inSite(meaning, "docs")}.`,
      "",
      ...(remedy === "" ? [] : [`**What to do:** ${inSite(remedy, "docs")}.`, ""]),
      `**Exit status:** ${status}`,
      "",
    );
  }
  return [
    "# Error codes",
    "",
    "Every error has a code that is never renamed. [Errors](/errors) says how they are printed, also for programs.",
    "",
    ...sections,
  ].join("\n");
}

async function commandModels() {
  const module = (path) => import(pathToFileURL(join(root, "build", path)).href);
  const [{ makeProgram }, { commandModel }, { verbs }] = await Promise.all([
    module("cli/program.js"),
    module("cli/commandModel.js"),
    module("cli/verbs.js"),
  ]);
  return { program: commandModel(makeProgram(Object.values(verbs), { status: 0 }).program) };
}

function commandsPage({ commands, options }) {
  return [
    "# Commands",
    "",
    "What `--help` says, and the manual pages. `spacktainers COMMAND --help` shows the same.",
    "",
    "| Command | What it does |",
    "|---|---|",
    ...commands.map(
      ({ path, summary }) => `| [\`${path.join(" ")}\`](/commands/${path.join("-")}) | ${cell(summary)} |`,
    ),
    "",
    "## Options of all commands",
    "",
    ...optionTable(options),
    "",
  ].join("\n");
}

/** A section for each option, with the commands that have it: many options have names that are ordinary words. */
function optionsPage(program) {
  const sections = new Map();
  const general = new Set(program.options.map(({ flags }) => flags));
  const visit = (command) => {
    for (const option of command.options) {
      const name = option.names.find((one) => one.startsWith("--"));
      if (name === undefined || (command !== program && general.has(option.flags))) continue;
      sections.set(name, [...(sections.get(name) ?? []), { command, option }]);
    }
    for (const each of command.commands) visit(each);
  };
  visit(program);
  const names = [...sections.keys()].sort();
  return [
    "# Options",
    "",
    "Every option, and the commands that have it.",
    "",
    ...names.flatMap((name) => [
      `## ${name} {#option-${name.slice(2)}}`,
      "",
      ...sections
        .get(name)
        .map(
          ({ command, option }) =>
            `- ${commandLink(command)}: \`${option.flags}\` ${text(option.description)}`,
        ),
      "",
    ]),
  ].join("\n");
}

function commandLink({ path }) {
  return path.length === 0 ? "[all commands](/commands/)" : `[\`${path.join(" ")}\`](/commands/${path[0]})`;
}

function commandPage(command) {
  return [`# ${command.path.join(" ")}`, "", ...commandParts(command, "##"), ""].join("\n");
}

function commandParts(command, level) {
  const described = command.arguments.filter(({ description }) => description !== "");
  const examples = command.epilogue.replace(/^Examples?:\n/, "");
  return [
    "```sh",
    `spacktainers ${[...command.path, command.usage].join(" ")}`,
    "```",
    "",
    text(command.description || command.summary),
    "",
    ...(described.length === 0
      ? []
      : [
          "| Argument | Meaning |",
          "|---|---|",
          ...described.map(({ name, description }) => `| \`${name}\` | ${cell(description)} |`),
          "",
        ]),
    ...(command.options.length === 0 ? [] : optionTable(command.options)),
    ...(examples === ""
      ? []
      : ["```sh", ...examples.split("\n").map((line) => line.replace(/^ {2}/, "")), "```", ""]),
    ...command.commands.flatMap((each) => [
      `${level} ${each.path.join(" ")}`,
      "",
      ...commandParts(each, `${level}#`),
    ]),
  ];
}

function optionTable(options) {
  return [
    "| Option | Meaning |",
    "|---|---|",
    ...options.map(
      ({ flags, description }) => `| \`${flags.replaceAll("|", "\\|")}\` | ${cell(description)} |`,
    ),
    "",
  ];
}

function cell(words) {
  return text(words).replaceAll("|", "\\|").replaceAll("\n", " ");
}

/** Help texts are plain text. */
function text(words) {
  return outsideCode(words, (part) => part.replaceAll(/[<>{}]/g, (found) => `&#${found.charCodeAt(0)};`));
}
