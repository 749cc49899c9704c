/** Python's `re`, as far as conditions use it. */
import { createContext, Script } from "node:vm";
import { PythonProblem } from "./problem.ts";
import {
  type PythonArguments,
  type PythonFunction,
  type PythonObject,
  type PythonValue,
  typeOf,
} from "./values.ts";

/** Milliseconds after which a search is given up: some expressions take for ever. */
const longestSearch = 500;
/** Longest text that is searched. */
const longestText = 100_000;

const flags: Readonly<Record<string, string>> = {
  I: "i",
  IGNORECASE: "i",
  M: "m",
  MULTILINE: "m",
  S: "s",
  DOTALL: "s",
  A: "",
  ASCII: "",
  U: "",
  UNICODE: "",
};
const bits: Readonly<Record<string, bigint>> = { i: 2n, m: 8n, s: 16n };

type Method = "match" | "fullmatch" | "search" | "findall" | "split" | "sub";
const methods: readonly Method[] = ["match", "fullmatch", "search", "findall", "split", "sub"];

/** The module `re`. */
export const regularExpressions: PythonObject = {
  kind: "object",
  type: "module",
  text: "<module 're'>",
  attribute(name, at) {
    const method = methods.find((each) => each === name);
    if (method !== undefined) return ofModule(method);
    if (Object.hasOwn(flags, name)) return bits[flags[name] ?? ""] ?? 0n;
    if (name === "compile")
      return {
        kind: "function",
        name,
        call: ({ values, named, at: where }) =>
          compiled(textArgument(values[0], where), flagsOf(values[1] ?? named.get("flags"), where), where),
      };
    if (name === "escape")
      return {
        kind: "function",
        name,
        call: ({ values, at: where }) =>
          textArgument(values[0], where).replace(/[^\p{L}\p{N}_\u0080-\uffff]/gu, "\\$&"),
      };
    throw new PythonProblem("unsupported", `\`re.${name}\` is not evaluated here`, at);
  },
};

function ofModule(method: Method): PythonFunction {
  return {
    kind: "function",
    name: `re.${method}`,
    call({ values, named, at }) {
      const [pattern, ...rest] = values;
      const own = method === "sub" || method === "split" ? 3 : 1;
      const given = named.get("flags") ?? rest[own];
      const options = flagsOf(given, at);
      const expression =
        isCompiled(pattern) && options === "" ? pattern : compiled(textArgument(pattern, at), options, at);
      return expression.run(method, { values: rest.slice(0, own), named: new Map(), at });
    },
  };
}

interface Compiled extends PythonObject {
  readonly run: (method: Method, given: PythonArguments) => PythonValue;
}

function isCompiled(value: PythonValue | undefined): value is Compiled {
  return typeof value === "object" && value !== null && value.kind === "object" && "run" in value;
}

function textArgument(value: PythonValue | undefined, at: number): string {
  if (typeof value === "string") return value;
  throw new PythonProblem("python", `text is expected, not a value of type ${typeOf(value ?? null)}`, at);
}

function flagsOf(value: PythonValue | undefined, at: number): string {
  if (value === undefined) return "";
  if (typeof value !== "bigint") throw new PythonProblem("python", "these are not flags of `re`", at);
  const known = Object.entries(bits).filter(([, bit]) => (value & bit) !== 0n);
  if (known.reduce((sum, [, bit]) => sum | bit, 0n) !== value)
    throw new PythonProblem("unsupported", "these flags of `re` are not known here", at);
  return known.map(([flag]) => flag).join("");
}

function compiled(pattern: string, options: string, at: number): Compiled {
  const { source, flags: inline } = translate(pattern, options, at);
  const all = [...new Set(options + inline)].join("");
  try {
    new RegExp(source, all);
  } catch {
    throw new PythonProblem("python", `\`${pattern}\` is not a regular expression`, at);
  }
  const run = (method: Method, { values, at: where }: PythonArguments): PythonValue => {
    const replacement = method === "sub" ? textArgument(values[0], where) : "";
    const text = textArgument(values[method === "sub" ? 1 : 0], where);
    if (text.length > longestText) throw new PythonProblem("unsupported", "the text is too long", where);
    if (method === "match" || method === "fullmatch" || method === "search") {
      const form = method === "fullmatch" ? `(?:${source})(?![^])` : source;
      const [found] = search(form, `${all}${method === "search" ? "" : "y"}`, text, where);
      return found === undefined ? null : matchObject(found, text);
    }
    const found = search(source, `${all}g`, text, where);
    if (method === "findall")
      return {
        kind: "list",
        items: found.map(({ groups }) => {
          const [whole = "", ...inner] = groups.map((group) => group ?? "");
          return inner.length === 0
            ? whole
            : inner.length === 1
              ? (inner[0] ?? "")
              : { kind: "tuple", items: inner };
        }),
      };
    const most = values[method === "sub" ? 2 : 1];
    const limit = typeof most === "bigint" && most > 0n ? Number(most) : found.length;
    const pieces: PythonValue[] = [];
    let from = 0;
    for (const { index, groups } of found.slice(0, limit)) {
      pieces.push(text.slice(from, index));
      if (method === "split") pieces.push(...groups.slice(1).map((group) => group ?? null));
      else
        pieces.push(replacement.replace(/\\(?:g<(\d+)>|(\d+))/g, (_, a, b) => groups[Number(a ?? b)] ?? ""));
      from = index + (groups[0]?.length ?? 0);
    }
    pieces.push(text.slice(from));
    return method === "split" ? { kind: "list", items: pieces } : pieces.join("");
  };
  return {
    kind: "object",
    type: "Pattern",
    text: `re.compile('${pattern}')`,
    run,
    attribute(name, where) {
      const method = methods.find((each) => each === name);
      if (method !== undefined) return { kind: "function", name, call: (given) => run(method, given) };
      if (name === "pattern") return pattern;
      throw notEvaluated("pattern", name, where);
    },
  };
}

/** What was found: where, and the text of each group, the whole first. */
interface Found {
  readonly index: number;
  readonly groups: readonly (string | undefined)[];
  readonly names: Readonly<Record<string, string | undefined>>;
}

const script = new Script(
  `(() => {
    const expression = new RegExp(source, flags), found = [];
    for (let one = expression.exec(text); one !== null; one = flags.includes("g") ? expression.exec(text) : null) {
      found.push({ index: one.index, groups: [...one], names: { ...one.groups } });
      if (one[0] === "") expression.lastIndex++;
    }
    return JSON.stringify(found, (_, value) => (value === undefined ? null : value));
  })()`,
);

/** Runs a search that is stopped when it takes too long. */
function search(source: string, expressionFlags: string, text: string, at: number): readonly Found[] {
  try {
    const json: unknown = script.runInContext(createContext({ source, flags: expressionFlags, text }), {
      timeout: longestSearch,
    });
    const found: readonly { index: number; groups: (string | null)[]; names: Record<string, string> }[] =
      typeof json === "string" ? JSON.parse(json) : [];
    return found.map(({ index, groups, names }) => ({
      index,
      groups: groups.map((group) => group ?? undefined),
      names,
    }));
  } catch {
    throw new PythonProblem("unsupported", "this search takes too long", at);
  }
}

function matchObject(found: Found, text: string): PythonObject {
  const group = (which: PythonValue, at: number): PythonValue => {
    if (typeof which === "bigint" && which >= 0n && Number(which) < found.groups.length)
      return found.groups[Number(which)] ?? null;
    if (typeof which === "string" && Object.hasOwn(found.names, which)) return found.names[which] ?? null;
    throw new PythonProblem("python", "there is no such group", at);
  };
  return {
    kind: "object",
    type: "Match",
    text: "<re.Match object>",
    item: group,
    attribute(name, at) {
      if (name === "group")
        return {
          kind: "function",
          name,
          call: ({ values, at: where }) => {
            const groups = values.map((each) => group(each, where));
            if (values.length === 0) return group(0n, where);
            return groups.length === 1 ? (groups[0] ?? null) : { kind: "tuple", items: groups };
          },
        };
      if (name === "groups")
        return {
          kind: "function",
          name,
          call: () => ({ kind: "tuple", items: found.groups.slice(1).map((each) => each ?? null) }),
        };
      if (name === "start") return { kind: "function", name, call: () => BigInt(found.index) };
      if (name === "end")
        return { kind: "function", name, call: () => BigInt(found.index + (found.groups[0]?.length ?? 0)) };
      if (name === "string") return text;
      throw notEvaluated("match", name, at);
    },
  };
}

/** Attributes that these objects have in Python and not here. */
const otherAttributes = {
  pattern: "finditer flags groupindex groups scanner subn",
  match: "endpos expand groupdict lastgroup lastindex pos re regs span",
} as const;

function notEvaluated(what: "pattern" | "match", name: string, at: number): PythonProblem {
  return otherAttributes[what].split(" ").includes(name)
    ? new PythonProblem("unsupported", `\`${name}\` of a ${what} is not evaluated here`, at)
    : new PythonProblem("python", `a ${what} has no \`${name}\``, at);
}

/** A pattern of Python as one of JavaScript. */
function translate(pattern: string, options: string, at: number): { source: string; flags: string } {
  let source = "";
  let inline = "";
  let inClass = false;
  let index = 0;
  const leading = /^\(\?([aimsux]+)\)/.exec(pattern);
  if (leading !== null) {
    const letters = leading[1] ?? "";
    if (letters.includes("x")) throw new PythonProblem("unsupported", "`(?x)` is not known here", at);
    inline = letters.replace(/[au]/g, "");
    index = leading[0].length;
  }
  const multiline = (options + inline).includes("m");
  while (index < pattern.length) {
    const rest = pattern.slice(index);
    const character = pattern[index] ?? "";
    if (character === "\\") {
      const next = pattern[index + 1] ?? "";
      source +=
        !inClass && next === "A" ? "(?<![^])" : !inClass && next === "Z" ? "(?![^])" : character + next;
      index += 2;
      continue;
    }
    if (inClass) {
      if (character === "]") inClass = false;
      source += character;
      index++;
      continue;
    }
    if (character === "[") {
      const open = /^\[\^?\]?/.exec(rest)?.[0] ?? "[";
      source += open.endsWith("]") ? `${open.slice(0, -1)}\\]` : open;
      inClass = true;
      index += open.length;
      continue;
    }
    const named = /^\(\?P([<=])([A-Za-z_]\w*)[>)]/.exec(rest);
    if (named !== null) {
      source += named[1] === "<" ? `(?<${named[2]}>` : `\\k<${named[2]}>`;
      index += named[0].length;
      continue;
    }
    const comment = /^\(\?#[^)]*\)/.exec(rest);
    if (comment !== null) {
      index += comment[0].length;
      continue;
    }
    if (/^\(\?(?:\(|>|[aiLmsux-]+[:)])/.test(rest) || /^(?:[*+?]|\{\d+,?\d*\})\+/.test(rest))
      throw new PythonProblem("unsupported", `\`${rest.slice(0, 4)}…\` of \`re\` is not known here`, at);
    source += character === "$" && !multiline ? "(?=\\n?(?![^]))" : character;
    index++;
  }
  return { source, flags: inline };
}
