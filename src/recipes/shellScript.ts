/**
 * What a shell script does to the environment, read from its text. Nothing is run.
 *
 * Understood are assignments, `export`, `unset`, comments, quotes, and `$NAME`, `${NAME}`, `${NAME:-…}`, `${NAME:+…}` in
 * values, as Bash reads them. Anything else is a problem with its line: half of a script is never taken for the whole.
 */

/** What a script leaves behind, or why that is unknown. */
export type ScriptEffect =
  | { readonly exported: ReadonlyMap<string, string> }
  /** The line of the script, from 1, and what stands there that is not understood. */
  | { readonly line: number; readonly reason: string };

/** Most characters that all values of a script have together: `A=$A$A` doubles. */
const mostCharacters = 2 ** 20;
/** Deepest `${A:-${B:-…}}`. */
const deepest = 20;

/** Variables that Bash keeps itself, and those of the session of whoever starts it. */
const personal =
  /^(?:BASH\w*|_|RANDOM|SRANDOM|SECONDS|LINENO|UID|EUID|PPID|GROUPS|DIRSTACK|FUNCNAME|PIPESTATUS|SHELLOPTS|POSIXLY_CORRECT|IFS|OPTARG|OPTIND|OPTERR|EPOCH\w+|HISTCMD|COMP_\w+|COLUMNS|LINES|REPLY|HOSTNAME|HOSTTYPE|MACHTYPE|OSTYPE|PWD|OLDPWD|SHLVL|HOME|USER|LOGNAME|SHELL|TERM|LANG|LC_\w+|TMPDIR|DISPLAY|MAIL)$/;

class Problem extends Error {}

/**
 * Reads a script as Bash would that sources it.
 * @param text the script
 * @param before the exported variables before it; every other variable is unset
 * @returns the exported variables after it
 */
export function readShellScript(text: string, before: ReadonlyMap<string, string>): ScriptEffect {
  const reader = new ShellReader(text, before);
  try {
    return { exported: reader.read() };
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown;
    return { line: reader.line(), reason: thrown.message };
  }
}

class ShellReader {
  readonly #text: string;
  readonly #values: Map<string, string>;
  readonly #exported: Set<string>;
  #at = 0;
  #characters = 0;

  constructor(text: string, before: ReadonlyMap<string, string>) {
    this.#text = text;
    this.#values = new Map(before);
    this.#exported = new Set(before.keys());
  }

  /** The line that reading has come to. */
  line(): number {
    return this.#text.slice(0, this.#at).split("\n").length;
  }

  read(): ReadonlyMap<string, string> {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    const odd = /[\0-\x08\x0b-\x1f\x7f\ufffd]/.exec(this.#text);
    if (odd !== null) {
      this.#at = odd.index;
      throw new Problem("a control character, or one that is not UTF-8");
    }
    while (this.#skipToCommand()) {
      this.#command();
      if (!this.#takes(";")) this.#takes("\n");
    }
    return new Map([...this.#values].filter(([name]) => this.#exported.has(name)));
  }

  /** Passes a text that stands here. */
  #takes(expected: string): boolean {
    if (!this.#text.startsWith(expected, this.#at)) return false;
    this.#at += expected.length;
    return true;
  }

  /** Passes what matches here. @param expression has the flag `y` */
  #match(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#text) ?? undefined;
    if (found !== undefined) this.#at += found[0].length;
    return found;
  }

  #skipToCommand(): boolean {
    this.#match(/(?:[ \t\n]|\\\n|#[^\n]*)*/y);
    return this.#at < this.#text.length;
  }

  /** @returns true when something stood there */
  #skipBlanks(): boolean {
    return (this.#match(/(?:[ \t]|\\\n)+/y)?.[0] ?? "") !== "";
  }

  #atEnd(): boolean {
    const next = this.#text[this.#at];
    return next === undefined || next === "\n" || next === ";";
  }

  /** What stands here, shortened, is not understood. */
  #unknown(): Problem {
    const rest = /[^\n]*/y;
    rest.lastIndex = this.#at;
    const found = (rest.exec(this.#text)?.[0] ?? "").trim();
    return new Problem(
      found === "" ? "the end of the line" : `\`${found.length > 60 ? `${found.slice(0, 60)}…` : found}\``,
    );
  }

  #command(): void {
    if (this.#match(/export(?=[ \t]|\\\n)/y) !== undefined) {
      // Bash works out all words before it assigns any.
      const exports: (() => void)[] = [];
      this.#each(() => this.#export(exports));
      for (const assign of exports) assign();
    } else if (this.#match(/unset(?=[ \t]|\\\n)(?:[ \t]+-v(?=[ \t]))?/y) !== undefined)
      this.#each(() => this.#unset());
    else if (!this.#assignment()) throw this.#unknown();
    else this.#each(() => this.#assignment());
  }

  /** Goes through the words of a command, and a comment behind them. */
  #each(read: () => boolean): void {
    for (;;) {
      const blank = this.#skipBlanks();
      if (blank) this.#match(/#[^\n]*/y);
      if (this.#atEnd()) return;
      if (!blank || !read()) throw this.#unknown();
    }
  }

  #export(later: (() => void)[]): boolean {
    const assign = this.#readAssignment();
    if (assign !== undefined) {
      later.push(() => this.#exported.add(assign()));
      return true;
    }
    const name = this.#match(/([A-Za-z_]\w*)(?=[;\s]|$)/y)?.[1];
    if (name === undefined) return false;
    this.#changeable(name);
    later.push(() => this.#exported.add(name));
    return true;
  }

  #unset(): boolean {
    const name = this.#match(/([A-Za-z_]\w*)(?=[;\s]|$)/y)?.[1];
    if (name === undefined) return false;
    this.#changeable(name);
    this.#values.delete(name);
    this.#exported.delete(name);
    return true;
  }

  #assignment(): boolean {
    const assign = this.#readAssignment();
    assign?.();
    return assign !== undefined;
  }

  /** `NAME=value` and `NAME+=value`. @returns what assigns it and answers its name; undefined when none stands here */
  #readAssignment(): (() => string) | undefined {
    const found = this.#match(/([A-Za-z_]\w*)(\+?)=/y);
    if (found === undefined) return undefined;
    const [, name = "", added] = found;
    this.#changeable(name);
    const value = this.#value();
    return () => {
      const before = added === "" ? "" : (this.#values.get(name) ?? "");
      this.#values.set(name, this.#counted(before + value));
      return name;
    };
  }

  #changeable(name: string): void {
    if (personal.test(name))
      throw new Problem(`a change of \`${name}\`, which depends on who runs the script`);
  }

  #counted(value: string): string {
    this.#characters += value.length;
    if (this.#characters > mostCharacters) throw new Problem("values that are too long");
    return value;
  }

  /** A value, to the end of the word. */
  #value(): string {
    let value = "";
    let tilde = true;
    for (;;) {
      const plain = this.#match(/[^\s;'"\\$`&|<>()~{}]+/y)?.[0];
      if (plain !== undefined) {
        value += plain;
        tilde = plain.endsWith(":") || plain.endsWith("=");
        continue;
      }
      if (this.#atEnd() || this.#text[this.#at] === " " || this.#text[this.#at] === "\t") return value;
      if (this.#takes("\\\n")) continue;
      if (this.#takes("'")) value += this.#until(/[^']*/y, "'");
      else if (this.#takes('"')) value += this.#doubleQuoted();
      else if (this.#text[this.#at] === "$") value += this.#expansion(false, 0);
      else if (!tilde && this.#takes("~")) value += "~";
      else if (this.#takes("\\")) value += this.#escaped();
      else throw this.#unknown();
      tilde = false;
    }
  }

  #until(expression: RegExp, end: string): string {
    const found = this.#match(expression)?.[0] ?? "";
    if (!this.#takes(end)) throw new Problem("a quote without an end");
    return found;
  }

  #escaped(): string {
    const next = this.#match(/[^\n]/uy)?.[0];
    if (next === undefined) throw new Problem("a backslash at the end");
    return next;
  }

  #doubleQuoted(): string {
    let value = "";
    for (;;) {
      value += this.#match(/[^"\\$`]+/y)?.[0] ?? "";
      if (this.#takes('"')) return value;
      if (this.#takes("\\\n")) continue;
      if (this.#text[this.#at] === "$") value += this.#expansion(true, 0);
      else if (this.#takes("\\")) value += this.#match(/[$`"\\]/y)?.[0] ?? "\\";
      else if (this.#at >= this.#text.length) throw new Problem("a quote without an end");
      else throw this.#unknown();
    }
  }

  /** `$NAME`, `${NAME}` and `${NAME:-…}`. @param quoted it stands in double quotes */
  #expansion(quoted: boolean, depth: number): string {
    const simple = this.#match(/\$([A-Za-z_]\w*)|\$\{([A-Za-z_]\w*)\}/y);
    if (simple !== undefined) return this.#counted(this.#lookUp(simple[1] ?? simple[2] ?? "") ?? "");
    const found = this.#match(/\$\{([A-Za-z_]\w*)(:?)([-+])/y);
    if (found === undefined || depth >= deepest) throw this.#unknown();
    const [, name = "", colon, operator] = found;
    const value = this.#lookUp(name);
    const other = this.#alternative(quoted, depth + 1);
    const present = value !== undefined && (colon === "" || value !== "");
    if (operator === "+") return present ? other : "";
    return this.#counted(present ? value : other);
  }

  /** The word in `${NAME:-word}`, and the brace behind it. */
  #alternative(quoted: boolean, depth: number): string {
    let value = "";
    for (;;) {
      value += this.#match(/[^"'\\$`{}~\n]+/y)?.[0] ?? "";
      if (this.#takes("}")) return value;
      if (this.#text[this.#at] === "$") value += this.#expansion(quoted, depth);
      else if (!quoted && this.#takes('"')) value += this.#doubleQuoted();
      else throw this.#unknown();
    }
  }

  #lookUp(name: string): string | undefined {
    if (personal.test(name))
      throw new Problem(`the value of \`${name}\`, which depends on who runs the script`);
    return this.#values.get(name);
  }
}
