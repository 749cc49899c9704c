/**
 * Reads specs from text. Grammar: `docs/formats.md`, "Spec syntax". What Spack accepts is accepted, and nothing else.
 */
import { type Place, SpacktainersError } from "../util/errors.ts";
import type { AbstractSpec, Dialect } from "./abstract.ts";
import { compilerPackage } from "./compilerNames.ts";
import type { DependencyType } from "./concrete.ts";
import { anything, expectedAfter } from "./expected.ts";
import { emptyNode, type SpecNode, thaw } from "./node.ts";
import { addDependency, constrainNode } from "./nodeConstrain.ts";
import { applyBoolean, applyPair } from "./parseAttribute.ts";
import type { Relation, VirtualKnowledge } from "./specView.ts";
import { type SpecToken, tokenize } from "./tokenize.ts";
import { anyVersion, parseVersionSet } from "./versions.ts";

/** How a text is to be read. */
export interface ParseOptions {
  readonly dialect: Dialect;
  /**
   * Where the text begins in the user's file. Columns of errors are counted from there, which is exact for text that
   * stands in one line without escapes.
   */
  readonly place?: Place;
  /** 1.x: `toolchains:` of the configuration, by name: what `%name` stands for. */
  readonly toolchains?: ReadonlyMap<string, Toolchain>;
}

/** A toolchain: one spec, or several that apply where their condition holds. */
export type Toolchain = string | readonly { readonly spec: string; readonly when?: string }[];

/** Longer texts are refused. */
const maximumLength = 32_768;
/** Conditions in conditions, and toolchains in toolchains, deeper than this are refused. */
const maximumDepth = 8;

/** Toolchains that the toolchains of one text may come to. */
const maximumExpansions = 1000;

/** Specs of one text are joined only to themselves: no virtual package needs to be known for that. */
const noVirtuals: VirtualKnowledge = { isVirtual: () => false, provides: () => false };

/**
 * The one spec in `text`. The empty text is the spec without any condition.
 * @throws SpacktainersError SPEC_SYNTAX, with the column of the offending character and what was expected there
 */
export function parseSpec(text: string, options: ParseOptions): AbstractSpec {
  return parseOne(text, options, { depth: 0, expansions: { left: maximumExpansions } });
}

/** How deep in conditions and toolchains a text is, and how many toolchains may still be expanded in all. */
interface Nesting {
  readonly depth: number;
  readonly expansions: { left: number };
}

/**
 * The specs in `text`, which may be several (`hdf5+mpi zlib`), or none.
 * @throws SpacktainersError SPEC_SYNTAX
 */
export function parseSpecs(text: string, options: ParseOptions): readonly AbstractSpec[] {
  const parser = new Parser(text, options, { depth: 0, expansions: { left: maximumExpansions } });
  const specs: AbstractSpec[] = [];
  while (!parser.atEnd()) {
    const before = parser.position;
    specs.push(parser.spec());
    if (parser.position === before) throw parser.unexpected("a package name or a condition");
  }
  return specs;
}

function parseOne(text: string, options: ParseOptions, nesting: Nesting): SpecNode {
  const parser = new Parser(text, options, nesting);
  const spec = parser.spec();
  if (!parser.atEnd()) throw parser.tooMany();
  return spec;
}

/** Attributes of an edge, as far as they were given. */
interface EdgeAttributes {
  types: ReadonlySet<DependencyType>;
  virtuals: readonly string[];
  when: AbstractSpec | undefined;
}

const dependencyTypes: readonly string[] = ["build", "link", "run", "test"] satisfies DependencyType[];

class Parser {
  private readonly text: string;
  private readonly options: ParseOptions;
  private readonly nesting: Nesting;
  private readonly relation: Relation;
  private readonly tokens: SpecToken[];
  position = 0;

  constructor(text: string, options: ParseOptions, nesting: Nesting) {
    this.text = text;
    this.options = options;
    this.nesting = nesting;
    this.relation = { dialect: options.dialect, virtuals: noVirtuals };
    if (text.length > maximumLength) throw this.error(0, `a spec of ${text.length} characters is too long`);
    if (nesting.depth > maximumDepth) throw this.error(0, "specs are nested too deeply");
    this.tokens = [...tokenize(text, options.dialect)];
    const last = this.tokens.at(-1);
    if (last?.kind === "unexpected") throw this.unexpectedCharacter(last);
  }

  private deeper(): Nesting {
    return { ...this.nesting, depth: this.nesting.depth + 1 };
  }

  atEnd(): boolean {
    return this.position >= this.tokens.length;
  }

  error(offset: number, message: string, hint?: string, cause?: unknown): SpacktainersError {
    const { place = {} } = this.options;
    const column = (place.column ?? 1) + offset;
    return new SpacktainersError("SPEC_SYNTAX", message, {
      place: { ...place, column },
      ...(hint === undefined ? {} : { hint }),
      ...(cause === undefined ? {} : { cause }),
    });
  }

  private quote(offset: number): string {
    const around = this.text.length > 200 ? `${this.text.slice(0, 200)}…` : this.text;
    return `in "${around}" at character ${offset + 1}`;
  }

  private unexpectedCharacter({ text, start }: SpecToken): SpacktainersError {
    const quote = /^==?(["'])/.exec(this.text.slice(start));
    if (quote !== null) {
      const at = start + quote[0].length - 1;
      return this.error(at, `the ${quote[1]} is never closed ${this.quote(at)}`);
    }
    const after = expectedAfter(text, this.text.slice(0, start));
    const at = after === undefined ? start : start + 1;
    const next = this.text.codePointAt(at);
    const found = next === undefined ? "the end" : JSON.stringify(String.fromCodePoint(next));
    return this.error(at, `expected ${after ?? anything} but found ${found} ${this.quote(at)}`);
  }

  /** The error for a token that cannot stand where it does. */
  unexpected(expected: string): SpacktainersError {
    const token = this.tokens[this.position];
    const offset = token?.start ?? this.text.length;
    const found = token === undefined ? "the end" : JSON.stringify(token.text);
    return this.error(offset, `expected ${expected} but found ${found} ${this.quote(offset)}`);
  }

  /** The error for what follows a complete spec. */
  tooMany(): SpacktainersError {
    const token = this.tokens[this.position];
    const offset = token?.start ?? this.text.length;
    const name = token?.kind === "name" || token?.kind === "qualifiedName";
    return this.error(
      offset,
      `expected the end of the spec but found ${JSON.stringify(token?.text ?? "")} ${this.quote(offset)}`,
      name ? "one spec names one package; put ^ before a dependency" : undefined,
    );
  }

  private next(...kinds: readonly SpecToken["kind"][]): SpecToken | undefined {
    const token = this.tokens[this.position];
    if (token === undefined || !kinds.includes(token.kind)) return undefined;
    this.position += 1;
    return token;
  }

  /** A spec with its dependencies. */
  spec(): SpecNode {
    const { dialect } = this.options;
    const root = this.node();
    let current = root;
    for (;;) {
      const token = this.next("edgeStart", "dependency");
      if (token === undefined) return root;
      const direct = token.text.startsWith("%");
      const propagation = token.text.startsWith("%%") ? "preference" : "none";
      const attributes =
        token.kind === "edgeStart"
          ? this.edgeAttributes(token)
          : { ...noAttributes, virtuals: this.assigned(token) };
      if (
        token.kind === "dependency" &&
        direct &&
        attributes.virtuals.length === 0 &&
        this.toolchain(current, propagation)
      )
        continue;
      const from = this.position;
      if (dialect === "0.x" && (this.atEnd() || this.tokens[from]?.kind === "dependency"))
        throw this.unexpected("a package name or a condition after ^");
      const dependency = this.node();
      const target = direct ? current : root;
      if (direct && dependency.name !== undefined) dependency.name = compilerPackage(dependency.name);
      if (!direct) current = dependency;
      this.guard(token, () =>
        addDependency(target, { ...attributes, spec: dependency, direct, propagation }, this.relation),
      );
    }
  }

  /** Runs a step that may find a contradiction, and says where in the text it is. */
  private guard(token: SpecToken, step: () => void): void {
    try {
      step();
    } catch (thrown) {
      if (!(thrown instanceof SpacktainersError)) throw thrown;
      throw this.error(token.start, `${thrown.message} ${this.quote(token.start)}`, thrown.hint, thrown);
    }
  }

  /** `virtual,…=package` after a sigil: the package is read next, as if it stood alone. */
  private assigned(token: SpecToken): readonly string[] {
    const { virtuals, substitute } = token;
    if (virtuals === undefined || substitute === undefined) return [];
    const kind = substitute.includes(".") ? "qualifiedName" : "name";
    const start = token.start + token.text.length - substitute.length;
    this.tokens.splice(this.position, 0, { kind, text: substitute, start });
    return sortedUnique(virtuals.split(","));
  }

  /** What stands between `[` and `]`. */
  private edgeAttributes(opening: SpecToken): EdgeAttributes {
    const attributes: EdgeAttributes = { ...noAttributes };
    // If an attribute is given twice, the last one applies, and only that one is read.
    const given = new Map<string, SpecToken>();
    for (;;) {
      const end = this.next("edgeEnd");
      if (end !== undefined) {
        for (const [name, token] of given) this.edgeAttribute(name, token, attributes);
        attributes.virtuals = sortedUnique([...attributes.virtuals, ...this.assigned(end)]);
        return attributes;
      }
      const token = this.next("pair");
      if (token === undefined) {
        if (this.atEnd())
          throw this.error(opening.start, `the [ is never closed ${this.quote(opening.start)}`);
        throw this.unexpected("an attribute such as virtuals=mpi, or ]");
      }
      given.set(this.edgeAttributeName(token), token);
    }
  }

  private edgeAttributeName(token: SpecToken): string {
    const { dialect } = this.options;
    const name = token.text.slice(0, token.text.indexOf("=")).replace(/:$/, "");
    if (["virtuals", "deptypes", ...(dialect === "1.x" ? ["when"] : [])].includes(name)) return name;
    throw this.error(
      token.start,
      `"${name}" is not an attribute of a dependency`,
      `the attributes are virtuals${dialect === "1.x" ? ", deptypes and when" : " and deptypes"}`,
    );
  }

  private edgeAttribute(name: string, token: SpecToken, attributes: EdgeAttributes): void {
    const equals = token.text.indexOf("=");
    const values = token.text
      .slice(equals + 1)
      .replace(/^['" ]+|['" ]+$/g, "")
      .split(",");
    const at = token.start + equals + 1;
    if (name === "virtuals") attributes.virtuals = sortedUnique(values);
    else if (name === "deptypes") {
      const wrong = values.find((value) => !dependencyTypes.includes(value));
      if (wrong !== undefined)
        throw this.error(
          at,
          `"${wrong}" is not a dependency type`,
          "the types are build, link, run and test",
        );
      attributes.types = new Set(dependencyTypes.filter((type) => values.includes(type)) as DependencyType[]);
    } else {
      const [condition = ""] = values;
      if (condition.trim() === "") throw this.error(at, "a condition cannot be empty");
      const { place = {} } = this.options;
      const quotes = /^['" ]*/.exec(token.text.slice(equals + 1))?.[0].length ?? 0;
      const column = (place.column ?? 1) + at + quotes;
      attributes.when = parseOne(condition, { ...this.options, place: { ...place, column } }, this.deeper());
    }
  }

  /** Expands `%name` where it names a toolchain; false where it does not. */
  private toolchain(spec: SpecNode, propagation: "none" | "preference"): boolean {
    const { toolchains } = this.options;
    const token = this.tokens[this.position];
    if (token === undefined) throw this.unexpected("a compiler, a package or a condition after %");
    const toolchain = token.kind === "name" ? toolchains?.get(token.text) : undefined;
    if (toolchain === undefined) return false;
    this.position += 1;
    if (--this.nesting.expansions.left < 0)
      throw this.error(token.start, `there are more than ${maximumExpansions} toolchains in this spec`);
    this.guard(token, () => {
      const parsed = this.parseToolchain(toolchain);
      if (propagation === "preference")
        parsed.dependencies = parsed.dependencies.map((e) => ({ ...e, propagation }));
      constrainNode(spec, parsed, this.relation);
    });
    return true;
  }

  private parseToolchain(toolchain: Toolchain): SpecNode {
    const parts = typeof toolchain === "string" ? [{ spec: toolchain, when: undefined }] : toolchain;
    const whole = emptyNode(this.options.dialect);
    for (const { spec, when = "" } of parts) {
      const part = parseOne(spec, { ...this.options, place: {} }, this.deeper());
      if (part.dependencies.some((edge) => !edge.direct))
        throw new SpacktainersError("SPEC_SYNTAX", `a toolchain cannot have ^ dependencies ("${spec}")`);
      if (when.trim() !== "") {
        const condition = parseOne(when, { ...this.options, place: {} }, this.deeper());
        part.dependencies = part.dependencies.map((edge) => {
          const both = edge.when === undefined ? emptyNode(this.options.dialect) : thaw(edge.when);
          constrainNode(both, condition, this.relation);
          return { ...edge, when: both };
        });
      }
      if (typeof toolchain === "string") return part;
      constrainNode(whole, part, this.relation);
    }
    return whole;
  }

  /** One node: a name, then attributes in any order. */
  private node(): SpecNode {
    const { dialect } = this.options;
    const node = emptyNode(dialect);
    const named = this.next("name", "qualifiedName", "file");
    if (named?.kind === "file")
      throw this.error(named.start, `specs in files cannot be used here (${named.text})`);
    if (named !== undefined && named.text !== "*") {
      const dot = named.text.lastIndexOf(".");
      node.name = named.text.slice(dot + 1);
      if (dot >= 0) node.namespace = named.text.slice(0, dot);
    }
    let hasVersion = false;
    for (;;) {
      const token = this.tokens[this.position];
      if (token === undefined) return node;
      const { text } = token;
      switch (token.kind) {
        case "gitVersionPair":
        case "gitVersion":
        case "version":
          if (hasVersion)
            throw this.error(
              token.start,
              `there are two versions ${this.quote(token.start)}`,
              "join them: @1.2,1.4:",
            );
          this.guard(token, () => {
            node.versions = parseVersionSet(text.slice(1), dialect);
          });
          hasVersion = true;
          break;
        case "compiler":
        case "compilerVersion":
          if (node.compiler !== undefined)
            throw this.error(token.start, `there are two compilers ${this.quote(token.start)}`);
          this.guard(token, () => {
            const at = text.indexOf("@");
            const name = (at < 0 ? text : text.slice(0, at)).slice(1).trim();
            node.compiler = {
              name,
              versions: at < 0 ? anyVersion(dialect) : parseVersionSet(text.slice(at + 1), dialect),
            };
          });
          break;
        case "propagatedBool":
          this.guard(token, () =>
            applyBoolean(node, text.slice(2).trim(), text.startsWith("++"), true, dialect),
          );
          break;
        case "bool":
          this.guard(token, () =>
            applyBoolean(node, text.slice(1).trim(), text.startsWith("+"), false, dialect),
          );
          break;
        case "propagatedPair":
        case "pair":
          this.guard(token, () => applyPair(node, text, token.kind === "propagatedPair", dialect));
          break;
        case "hash":
          // A second hash begins another spec.
          if (node.hash !== undefined) return node;
          node.hash = text.slice(1);
          break;
        default:
          return node;
      }
      this.position += 1;
    }
  }
}

const noAttributes: Readonly<EdgeAttributes> = { types: new Set(), virtuals: [], when: undefined };

function sortedUnique(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort();
}
