/** A shell's text as simple commands, as far as a migration must understand them: nothing is run or expanded but given variables. */

/** A word of a command. */
export interface ShellWord {
  /** Without quotes. */
  readonly text: string;
  /** Where it begins in the text. */
  readonly at: number;
}

/** One simple command. */
export interface ShellCommand {
  readonly words: readonly ShellWord[];
  /** Where its output goes; that of its group where it has none. */
  readonly output: string | undefined;
  /** Number of the here-document that it reads, counted from 0 in the text. */
  readonly heredoc: number | undefined;
}

/** A command while it is read. */
interface Draft {
  words: ShellWord[];
  output: string | undefined;
  heredoc: number | undefined;
}

/**
 * Takes a text apart at `&&`, `||`, `;`, `|`, `&`, line ends and parentheses.
 *
 * @param variables values for `$NAME` and `${NAME}`; others are left as they are
 */
export function shellCommands(
  text: string,
  variables: ReadonlyMap<string, string> = new Map(),
): readonly ShellCommand[] {
  const commands: Draft[] = [];
  const groups: number[] = [];
  let heredocs = 0;
  let current: Draft = { words: [], output: undefined, heredoc: undefined };
  /** Commands of the group that has just ended: a redirection behind it is theirs. */
  let ended: readonly Draft[] = [];
  const end = (): void => {
    if (current.words.length > 0) commands.push(current);
    current = { words: [], output: undefined, heredoc: undefined };
  };
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at, at + 3);
    const character = text.charAt(at);
    if (character === "\\" && text.charAt(at + 1) === "\n") at += 2;
    else if (character === "\n" || character === ";" || character === "|" || character === "&") {
      if (rest.startsWith("&>")) {
        at++;
        continue;
      }
      end();
      ended = [];
      at++;
    } else if (/\s/.test(character)) at++;
    else if (character === "#") {
      const newline = text.indexOf("\n", at);
      at = newline < 0 ? text.length : newline;
    } else if (character === "(" || (character === "{" && /\s/.test(text.charAt(at + 1)))) {
      end();
      groups.push(commands.length);
      at++;
    } else if (character === ")" || (character === "}" && current.words.length === 0)) {
      end();
      ended = commands.slice(groups.pop() ?? commands.length);
      at++;
    } else if (/^\d?[<>]/.test(rest)) {
      const [operator = ""] = /^\d?(?:<<<|<<-?|<|>>|>&|>\||>)/.exec(text.slice(at)) ?? [];
      at += operator.length;
      while (/[ \t]/.test(text.charAt(at))) at++;
      const word = readWord(text, at, variables);
      at = word.end;
      const isOutput = /^1?>>?\|?$/.test(operator);
      if (isOutput) {
        current.output = word.text;
        for (const one of current.words.length === 0 ? ended : []) one.output ??= word.text;
        if (current.words.length === 0) current.output = undefined;
      }
      if (/^<<-?$/.test(operator)) current.heredoc = heredocs++;
    } else {
      const word = readWord(text, at, variables);
      current.words.push({ text: word.text, at });
      at = Math.max(word.end, at + 1);
    }
  }
  end();
  return commands;
}

/** Reads one word, and takes its quotes away. */
function readWord(
  text: string,
  start: number,
  variables: ReadonlyMap<string, string>,
): { readonly text: string; readonly end: number } {
  let word = "";
  let quote = "";
  let at = start;
  for (; at < text.length; at++) {
    const character = text.charAt(at);
    if (quote === "" && /[\s;|&()<>]/.test(character)) break;
    if (character === quote) quote = "";
    else if (quote === "" && (character === "'" || character === '"')) quote = character;
    else if (character === "\\" && quote !== "'") {
      at++;
      const next = text.charAt(at);
      if (next === "\n") continue;
      // In double quotes a shell keeps it before other characters.
      word += quote === '"' && !/["\\$`]/.test(next) ? `\\${next}` : next;
    } else if (character === "$" && quote !== "'") {
      const [whole = "$", braced, plain] =
        /^\$(?:\{([A-Za-z_]\w*)(?::?-[^}]*)?\}|([A-Za-z_]\w*))/.exec(text.slice(at, at + 200)) ?? [];
      const value = variables.get(braced ?? plain ?? "");
      word += value ?? whole;
      at += whole.length - 1;
    } else word += character;
  }
  return { text: word, end: at };
}
