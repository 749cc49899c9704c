/** Command lines of Spack, as far as they say what an environment has. */
import type { ShellCommand, ShellWord } from "./shellCommands.ts";

/** A command line of Spack. */
export interface SpackCommandLine {
  readonly verb: string;
  /** The environment it is about, by `-e`, `-D`, `--env-dir`; a name or a path. */
  readonly environment: string | undefined;
  /** What follows the verb, options left out. */
  readonly args: readonly ShellWord[];
}

/** Options that have a value in the next word. */
const valued: ReadonlySet<string> = new Set([
  "-e",
  "--env",
  "-D",
  "--env-dir",
  "-C",
  "--config-scope",
  "-c",
  "--config",
  "-j",
  "--jobs",
  "-p",
  "--concurrent-packages",
  "--only",
  "--until",
  "-u",
  "--log-format",
  "--log-file",
  "--test",
  "--scope",
  "-f",
  "--file",
  "--cdash-upload-url",
  "-l",
  "--list-name",
  "--s3-access-key-id",
  "--s3-access-key-secret",
  "--s3-endpoint-url",
  "--type",
  "--oci-username",
  "--oci-password",
  "--namespace",
  "-b",
  "--branch",
]);
/** Of these, those that mean something else behind some verbs. */
const flagsOf: Readonly<Record<string, readonly string[]>> = {
  install: ["-f", "-l", "-e", "-c"],
  concretize: ["-f"],
  add: [],
  external: ["-e"],
  env: ["-d", "-p"],
};

/** Reads a command; undefined where it is not one of Spack. */
export function spackCommandLine({ words }: ShellCommand): SpackCommandLine | undefined {
  let rest = words;
  // What stands before the program: variables, and programs that run others.
  while (rest[0] !== undefined && /^(?:\w+=.*|time|exec|sudo|nice|env)$/s.test(rest[0].text))
    rest = rest.slice(1);
  const [program, ...following] = rest;
  if (program === undefined || !/(?:^|\/)spack$/.test(program.text)) return undefined;
  let environment: string | undefined;
  let verb: string | undefined;
  const args: ShellWord[] = [];
  for (let at = 0; at < following.length; at++) {
    const word = following[at];
    if (word === undefined) break;
    const { text } = word;
    if (!text.startsWith("-") || text === "-") {
      if (verb === undefined) verb = text;
      else args.push(word);
      continue;
    }
    const [, name = text, value] = /^(--[\w-]+)=(.*)$/s.exec(text) ?? [];
    const takesNext =
      value === undefined && valued.has(name) && !(verb !== undefined && flagsOf[verb]?.includes(name));
    const given = takesNext ? following[++at]?.text : value;
    if (["-e", "--env", "-D", "--env-dir"].includes(name) && given !== undefined) environment = given;
  }
  if (verb === undefined) return undefined;
  return { verb, environment, args };
}

/** Verbs that use what is installed, or tidy up: none of them changes which packages there are. */
const using =
  /^(?:load|unload|find|location|python|clean|gc|test|view|module|graph|info|list|dependencies|verify|cd|debug|help|arch|--version)$/;

/** Whether a command of Spack is part of making an environment: what stands before it in a file is there for it. */
export function makesPackages({ verb, args }: SpackCommandLine): boolean {
  return (
    !using.test(verb) &&
    !(verb === "env" && /^(?:activate|deactivate|list|status|view)$/.test(args[0]?.text ?? ""))
  );
}
