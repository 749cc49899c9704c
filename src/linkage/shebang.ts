/** What a script's first line asks for. */

/** Characters of the first line, `#!` included, that every Linux still in use reads. */
export const maxShebangLine = 255;

/** The program a script is started with. */
export interface ScriptInterpreter {
  /** The file named in the line: an absolute path, as a rule. */
  readonly path: string;
  /** What `env` has to find on PATH, or to start. */
  readonly program?: string;
  /** The script given to a shell that finds the real line in the script's second line (Spack's sbang). */
  readonly sbang?: string;
}

/**
 * Reads a `#!` line.
 * @param line without `#!`
 * @returns undefined when the line names nothing
 */
export function parseShebang(line: string): ScriptInterpreter | undefined {
  // A carriage return stays: to the kernel, and to `env`, it is a part of the name, which then is nowhere.
  const trimmed = line.replace(/^[ \t]+/, "").replace(/[ \t]+$/, "");
  const [, path, rest = ""] = /^([^ \t]+)(?:[ \t]+(.*))?$/s.exec(trimmed) ?? [];
  if (path === undefined) return undefined;
  if (rest.endsWith("/bin/sbang") && /(^|\/)(ba|da)?sh$/.test(path)) return { path, sbang: rest };
  if (!/(^|\/)env$/.test(path)) return { path };
  const program = programOfEnv(rest);
  return program === undefined ? { path } : { path, program };
}

/** What `env` runs. The kernel hands it everything after the path as one argument; only `-S` splits it. */
function programOfEnv(argument: string): string | undefined {
  if (argument === "") return undefined;
  const split = /^-(?:[iv]*S|-split-string[= ])[ \t]*(.*)$/s.exec(argument)?.[1];
  if (split === undefined) return argument.startsWith("-") ? undefined : argument;
  const words = split.split(/[ \t\r]+/).filter((word) => word !== "");
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (/^-[uC]$/.test(word)) at++;
    else if (!word.startsWith("-") && !/^[A-Za-z_][A-Za-z0-9_]*=/.test(word))
      return word.replace(/^(['"])(.*)\1$/, "$2");
  }
  return undefined;
}

/** The real line of a script that starts with sbang: its second line, in whatever form the language needs it. */
export function lineBehindSbang(text: string): string | undefined {
  const second = text.split("\n", 2)[1];
  return second === undefined ? undefined : /^(?:#!|--!|\/\/!|<\?php #!)(.*?)(?: \?>)?$/.exec(second)?.[1];
}
