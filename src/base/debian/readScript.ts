/** Maintainer scripts, read as dpkg would run them on a fresh system: which commands they reach, with which arguments. */
import { matchesGlob } from "../../util/matchesGlob.ts";
import { parseShell, type ShellNode } from "./shellSyntax.ts";
import { plainText, type ScriptWord } from "./shellTokens.ts";

/** A command that a script reaches, or may reach where a condition cannot be known. Arguments that cannot are undefined. */
export type ScriptCommand = readonly (string | undefined)[];

/** What the script is asked about. */
export interface ScriptSurroundings {
  /** `configure`, `install`. */
  readonly action: string;
  /** Debian's name of the architecture, such as `amd64`. */
  readonly architecture: string;
  /** Such as `x86_64-linux-gnu`. */
  readonly multiarch: string;
  /** Whether there is anything at an absolute path. */
  readonly exists: (path: string) => boolean;
}

/** Most commands looked at, and most calls inside one another: scripts come from strangers. */
const mostSteps = 20_000;
const deepestCall = 20;

/**
 * The commands of a script in the order in which it reaches them. Nothing is run: variables, loops, functions and
 * conditions are worked out where they can be; of a condition that cannot, both sides count.
 *
 * @returns undefined when the script is not one of a POSIX shell, or is not written as it must be
 */
export function readScript(
  text: string,
  surroundings: ScriptSurroundings,
): readonly ScriptCommand[] | undefined {
  if (!/^#!\s*(?:\/usr)?\/bin\/(?:env\s+)?(?:sh|bash|dash)\b/.test(text)) return undefined;
  const tree = parseShell(text);
  if (tree === undefined) return undefined;
  const reader = new ScriptReader(surroundings);
  reader.run(tree, { positional: [surroundings.action, ""], depth: 0 });
  return reader.commands;
}

/** Undefined: cannot be known. */
type Verdict = boolean | undefined;

interface Call {
  readonly positional: readonly (string | undefined)[];
  readonly depth: number;
}

class ScriptReader {
  readonly commands: ScriptCommand[] = [];
  readonly #surroundings: ScriptSurroundings;
  readonly #variables = new Map<string, string | undefined>();
  readonly #functions = new Map<string, ShellNode>();
  #steps = 0;
  /** The script has ended, whatever it depends on. */
  #ended = false;
  /** Conditions around the present command that cannot be known. */
  #doubts = 0;

  constructor(surroundings: ScriptSurroundings) {
    this.#surroundings = surroundings;
    this.#variables.set("DPKG_ROOT", "").set("DEB_HOST_MULTIARCH", surroundings.multiarch);
    this.#variables.set("DPKG_MAINTSCRIPT_ARCH", surroundings.architecture);
  }

  run(node: ShellNode, call: Call): Verdict {
    if (this.#ended || ++this.#steps > mostSteps) return undefined;
    switch (node.kind) {
      case "command":
        return this.#command(node.words, call);
      case "list": {
        let verdict: Verdict = true;
        for (const item of node.items) verdict = this.run(item, call);
        return verdict;
      }
      case "pipeline":
        for (const item of node.items) this.run(item, call);
        return undefined;
      case "and":
      case "or": {
        const left = this.run(node.left, call);
        if (left === (node.kind === "or")) return left;
        const right = this.#doubted(left === undefined, () => this.run(node.right, call));
        return left === undefined ? undefined : right;
      }
      case "not": {
        const verdict = this.run(node.node, call);
        return verdict === undefined ? undefined : !verdict;
      }
      case "if": {
        let doubt = false;
        for (const [condition, body] of node.branches) {
          const verdict: Verdict = this.#doubted(doubt, () => this.run(condition, call));
          if (verdict !== false) this.#doubted(doubt || verdict === undefined, () => this.run(body, call));
          if (verdict === true) return undefined;
          doubt ||= verdict === undefined;
        }
        const { otherwise } = node;
        if (otherwise !== undefined) this.#doubted(doubt, () => this.run(otherwise, call));
        return undefined;
      }
      case "for": {
        const words = node.words?.flatMap((word) => this.#fields(word, call)) ?? call.positional;
        for (const word of words) {
          this.#variables.set(node.name, word);
          this.run(node.body, call);
        }
        return undefined;
      }
      case "loop":
        this.run(node.condition, call);
        this.#doubted(true, () => this.run(node.body, call));
        return undefined;
      case "case": {
        const subject = this.#text(node.subject, call);
        for (const [patterns, body] of node.branches) {
          const globs = patterns.map((pattern) => plainText(pattern) ?? this.#text(pattern, call));
          const unknown = subject === undefined || globs.includes(undefined);
          if (unknown) this.#doubted(true, () => this.run(body, call));
          else if (globs.some((glob) => glob !== undefined && matchesGlob(subject, glob))) {
            this.run(body, call);
            break;
          }
        }
        return undefined;
      }
      case "function":
        this.#functions.set(node.name, node.body);
        return true;
    }
  }

  #doubted<T>(doubt: boolean, work: () => T): T {
    if (doubt) this.#doubts++;
    try {
      return work();
    } finally {
      if (doubt) this.#doubts--;
    }
  }

  #command(given: readonly ScriptWord[], call: Call): Verdict {
    let first = 0;
    for (; first < given.length; first++) {
      const word = given[first] ?? [];
      const [, name, rest] =
        /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(word[0]?.kind === "text" ? word[0].text : "") ?? [];
      if (name === undefined) break;
      this.#variables.set(name, this.#text([{ kind: "text", text: rest ?? "" }, ...word.slice(1)], call));
    }
    const words = given.slice(first).flatMap((word) => this.#fields(word, call));
    const [name, ...rest] = words;
    if (words.length === 0) return true;
    if (name === undefined) return undefined;
    const body = this.#functions.get(name);
    if (body !== undefined) {
      if (call.depth < deepestCall) this.run(body, { positional: rest, depth: call.depth + 1 });
      return undefined;
    }
    switch (name) {
      case "export":
      case "local":
      case "readonly":
        for (const one of rest) {
          const [, variable, value] = /^(\w+)=([\s\S]*)$/.exec(one ?? "") ?? [];
          if (variable !== undefined) this.#variables.set(variable, value);
        }
        return true;
      case "set":
      case ":":
      case "true":
      case "echo":
        return true;
      case "false":
        return false;
      case "exit":
        if (this.#doubts === 0 && call.depth === 0) this.#ended = true;
        return undefined;
      case "[":
      case "test":
        return this.#test(name === "[" ? rest.slice(0, -1) : rest);
      case "dpkg":
        if (rest[0] === "--compare-versions") return earlier(rest[1], rest[2]);
        return undefined;
    }
    this.commands.push(words);
    return undefined;
  }

  #test(words: ScriptCommand): Verdict {
    const joint = words.findIndex((word) => word === "-o" || word === "-a");
    if (joint > 0) {
      const left = this.#test(words.slice(0, joint));
      const right = this.#test(words.slice(joint + 1));
      const decisive = words[joint] === "-o";
      if (left === decisive || right === decisive) return decisive;
      return left === undefined || right === undefined ? undefined : !decisive;
    }
    const [first, second, third] = words;
    if (first === "!" && words.length > 1) {
      const verdict = this.#test(words.slice(1));
      return verdict === undefined ? undefined : !verdict;
    }
    if (words.length === 1) return first === undefined ? undefined : first !== "";
    if (words.length === 2) {
      if (second === undefined) return undefined;
      if (first === "-z") return second === "";
      if (first === "-n") return second !== "";
      if (/^-[defhLrswx]$/.test(first ?? "")) return this.#surroundings.exists(second) || undefined;
      return undefined;
    }
    if (words.length === 3 && first !== undefined && third !== undefined) {
      if (second === "=" || second === "==") return first === third;
      if (second === "!=") return first !== third;
    }
    return undefined;
  }

  /** The words that one word becomes: values of variables without quotes are taken apart at blanks. */
  #fields(word: ScriptWord, call: Call): readonly (string | undefined)[] {
    const [only] = word;
    if (word.length === 1 && only?.kind === "variable") {
      if (only.name === "@" || (only.name === "*" && !only.quoted)) return call.positional;
      if (!only.quoted)
        return (
          this.#text(word, call)
            ?.split(/\s+/)
            .filter((one) => one !== "") ?? [undefined]
        );
    }
    return [this.#text(word, call)];
  }

  #text(word: ScriptWord, call: Call): string | undefined {
    let text = "";
    for (const part of word) {
      const piece =
        part.kind === "text"
          ? part.text
          : part.kind === "variable"
            ? this.#value(part.name, part.fallback, call)
            : part.kind === "output"
              ? this.#output(part.text)
              : undefined;
      if (piece === undefined) return undefined;
      text += piece;
    }
    return text;
  }

  #value(name: string, fallback: string | undefined, { positional }: Call): string | undefined {
    if (/^[1-9]$/.test(name)) {
      const at = Number(name) - 1;
      return at < positional.length ? positional[at] : (fallback ?? "");
    }
    if (name === "#") return String(positional.length);
    const value = this.#variables.get(name);
    return value === undefined || value === "" ? (fallback ?? value) : value;
  }

  /** What programs say that every script asks. */
  #output(command: string): string | undefined {
    const { architecture, multiarch } = this.#surroundings;
    const [name, ...words] = command
      .replace(/2>\s*\S+/g, "")
      .trim()
      .split(/\s+/);
    if (name === "dpkg" && words[0] === "--print-architecture") return architecture;
    if (name === "dpkg-architecture" && words.join(" ").includes("DEB_HOST_MULTIARCH")) return multiarch;
    return undefined;
  }
}

/** `dpkg --compare-versions` of a version with the one installed before, of which there is none. */
function earlier(version: string | undefined, operator: string | undefined): Verdict {
  if (version !== "") return undefined;
  return operator === "lt" || operator === "le" || operator === "ne";
}
