/** Steps of a build: commands of Spack, files written or copied for it. */
import { posix } from "node:path";
import { compilers } from "../../concretize/packageKinds.ts";
import { parseSpec } from "../../spec/parse.ts";
import { asSpacktainersError, type Place } from "../../util/errors.ts";
import { splitSpecs } from "../add/splitSpecs.ts";
import type { DockerfileDraft } from "./dockerfileDraft.ts";
import type { StageInstruction } from "./dockerfileStages.ts";
import { type ShellCommand, shellCommands } from "./shellCommands.ts";
import { spackCommandLine } from "./spackCommand.ts";
import { takeSpackRef } from "./spackRef.ts";

/** Commands that only show something, steer the shell, tidy up, or make what packages of Spack are already: they leave nothing behind. */
const harmless =
  /^(?:cd|set|mkdir|export|true|:|rm|echo|printf|cat|ldconfig|strip|find|xargs|file|grep|awk|sort|head|tail|wc|source|\.|which|ls|unset|test|\[|hash|then|if|fi|done|do|for|else)$/;

/** Whether a command of a build leaves nothing that an image would miss. */
export function isHarmless(word: string): boolean {
  return harmless.test(posix.basename(word)) || /^\w+=/.test(word);
}

/** The commands of a RUN. */
export function commandsOf(
  { text, heredocs }: StageInstruction,
  variables: ReadonlyMap<string, string>,
): readonly ShellCommand[] {
  const line = text.replace(/^(?:--\S+\s+)*/, (flags) => " ".repeat(flags.length));
  const script = /^\s*<<-?\s*["']?\w+["']?\s*$/.test(line) ? heredocs[0]?.content : undefined;
  return shellCommands(script ?? execForm(line) ?? line, variables);
}

/** `RUN ["a", "b"]`. */
function execForm(text: string): string | undefined {
  return wordsOfList(text)
    ?.map((word) => `'${word.replaceAll("'", "'\\''")}'`)
    .join(" ");
}

/** `["a", "b"]`; undefined for what is not written so. */
function wordsOfList(text: string): readonly string[] | undefined {
  if (!text.trim().startsWith("[")) return undefined;
  try {
    const words: unknown = JSON.parse(text);
    return Array.isArray(words) ? words.map(String) : undefined;
  } catch {
    return undefined;
  }
}

/** Commands of Spack, and those that bring Spack itself; false for others. */
export function readSpack(command: ShellCommand, one: StageInstruction, draft: DockerfileDraft): boolean {
  const text = command.words.map((word) => word.text).join(" ");
  const place = one.placeAt(command.words[0]?.at ?? 0);
  if (/\bgit (?:clone|fetch|checkout|-C)\b/.test(text) && /spack/.test(text + one.text)) {
    const [, branch] =
      /(?:--branch[= ]|-b )(\S+)/.exec(text) ?? /\bcheckout (?:-q )?([\w./-]+)$/.exec(text) ?? [];
    if (/spack-packages/.test(text))
      draft.list.changed(
        "recipes come with the Spack that is configured; others are set by `spack: repos:`",
        place,
      );
    else if (branch !== undefined && !branch.startsWith("-"))
      draft.spack = takeSpackRef(branch, place, draft.list) ?? draft.spack;
    return true;
  }
  const [, release] =
    /github\.com\/spack\/spack\/(?:releases\/download|archive\/(?:refs\/tags\/)?)\/?v?(\d+\.\d+\.\d+)/.exec(
      text,
    ) ?? [];
  if (release !== undefined) {
    draft.spack = takeSpackRef(release, place, draft.list) ?? draft.spack;
    return true;
  }
  const line = spackCommandLine(command);
  if (line === undefined) return false;
  const { verb, args, environment } = line;
  if (environment !== undefined) draft.environments.push(environment);
  const [first, second] = args;
  switch (verb) {
    case "install":
    case "add":
      takeSpecs(
        command,
        args.map((word) => word.text),
        place,
        draft,
      );
      break;
    case "env":
      if (first?.text === "activate" || first?.text === "create")
        for (const word of args.slice(1)) draft.environments.push(word.text);
      break;
    case "mirror":
      if (first?.text === "add" && args.at(-1) !== second)
        draft.mirrors.push({ url: args.at(-1)?.text ?? "", place });
      break;
    case "config":
      if (first?.text === "add" && second !== undefined)
        draft.configuration.push({ text: second.text, place });
      break;
    case "repo":
      draft.list.todo(
        "your own recipes: name their repository in `spack: repos:` in spacktainers.yaml",
        place,
      );
      break;
    case "gpg":
    case "buildcache":
      draft.list.todo(
        `\`spack ${verb} ${first?.text ?? ""}\`: caches and the keys that sign them are named in spacktainers.yaml`,
        place,
      );
      break;
    case "develop":
      draft.list.todo(
        "`spack develop` builds from a folder of sources: set `develop:` in the definition",
        place,
      );
      break;
    case "external":
      draft.list.todo(
        "packages of the machine (`spack external find`): name them by `spack: externals:`, and their OS packages in `base: packages:`",
        place,
      );
      break;
    case "load":
    case "concretize":
    case "gc":
    case "clean":
    case "compiler":
    case "find":
    case "bootstrap":
    case "view":
    case "arch":
      break;
    default:
      draft.list.todo(`\`spack ${verb}\` is left out`, place);
  }
  return true;
}

function takeSpecs(
  command: ShellCommand,
  words: readonly string[],
  place: Place,
  draft: DockerfileDraft,
): void {
  if (words.length === 0) return;
  let specs: readonly string[];
  try {
    specs = splitSpecs(words, undefined);
  } catch (thrown) {
    const { message } = asSpacktainersError(thrown);
    draft.list.todo(
      `these are not taken as specs, ${message}: ${command.words.map(({ text }) => text).join(" ")}`,
      place,
    );
    return;
  }
  for (const spec of specs) {
    const { name } = parseOrNothing(spec);
    if (name !== undefined && compilers.has(name)) {
      draft.list.changed(
        `the compiler ${spec} is left out: an image needs none to run; add it to the specs where it does`,
        place,
      );
      continue;
    }
    if (/\$/.test(spec)) {
      draft.list.todo(`the value of a variable in ${spec} is not known`, place);
      continue;
    }
    if (draft.specs.includes(spec)) continue;
    draft.specs.push(spec);
    draft.list.taken(`the spec ${spec}`, place);
  }
}

function parseOrNothing(spec: string): { readonly name: string | undefined } {
  try {
    return parseSpec(spec, { dialect: "1.x" });
  } catch {
    return { name: /^[\w-]+/.exec(spec)?.[0] };
  }
}

/** Commands that write a file: `echo … > FILE`, `cat <<EOF > FILE`. */
export function readFile(command: ShellCommand, one: StageInstruction, draft: DockerfileDraft): boolean {
  const { output, heredoc, words } = command;
  if (output === undefined) return false;
  const path = posix.resolve(draft.directory, output);
  const [program, ...args] = words.map(({ text }) => text);
  const written =
    heredoc === undefined
      ? program === "echo"
        ? `${args.filter((arg, index) => index > 0 || !/^-[neE]+$/.test(arg)).join(" ")}\n`
        : program === "printf"
          ? (args[0] ?? "").replaceAll("\\n", "\n")
          : undefined
      : one.heredocs[heredoc]?.content;
  if (written === undefined) return false;
  const before = draft.files.get(path);
  const content = before?.kind === "text" ? before.content + written : written;
  draft.files.set(path, { kind: "text", content, place: before?.place ?? one.placeAt(words[0]?.at ?? 0) });
  return true;
}

/** What a COPY or ADD copies, and where to, as written; options left out. */
export function copiedWords({ text }: StageInstruction): {
  readonly sources: readonly string[];
  readonly target: string;
} {
  const rest = text.trim().replace(/^(?:--\S+\s+)*/, "");
  const words = wordsOfList(rest) ?? rest.split(/\s+/);
  return { sources: words.slice(0, -1), target: words.at(-1) ?? "/" };
}

/** COPY into a build: a manifest may be among it. */
export function stageFiles(one: StageInstruction, draft: DockerfileDraft): void {
  const { sources, target } = copiedWords(one);
  if (/--from=/.test(one.text)) return;
  const path = posix.resolve(draft.directory, target);
  for (const document of one.heredocs)
    draft.files.set(target.endsWith("/") ? posix.join(path, document.name) : path, {
      kind: "text",
      content: document.content,
      place: one.place,
    });
  for (const source of sources) {
    if (
      /(?:^|\/)(?:compilers|concretizer|config|mirrors|modules|packages|repos|toolchains|upstreams)\.ya?ml$/.test(
        source,
      )
    )
      draft.list.todo(
        `${source} has settings of Spack: those that packages depend on belong into the definition, or are included by it (\`include:\`)`,
        one.place,
      );
    if (source.startsWith("<<")) continue;
    const isManifest = /(?:^|\/)spack\.(?:yaml|\*)$/.test(source);
    const inFolder = isManifest && (target.endsWith("/") || sources.length > 1 || !/\.ya?ml$/.test(target));
    const name = isManifest ? source.replace(/\*$/, "yaml") : posix.join(source, "spack.yaml");
    if (!isManifest && /\.\w+$/.test(source) && source !== "." && !source.endsWith("..")) continue;
    draft.files.set(isManifest && !inFolder ? path : posix.join(path, "spack.yaml"), {
      kind: "context",
      path: posix.normalize(name),
      place: one.place,
    });
  }
}
