/**
 * Reads a Dockerfile that continues an image: the text becomes typed instructions, and whatever is wrong or cannot be honoured
 * is named with its line.
 */

import { printable } from "../archive/names.ts";
import { didYouMean } from "../definitions/nearest.ts";
import { SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import { type Heredoc, parseHeredocWord } from "./heredocs.ts";
import type {
  Assignment,
  CommandLine,
  Instruction,
  InstructionPlace,
  MountRequest,
  Transfer,
  Word,
} from "./instruction.ts";
import { blankSeparated, type EscapeCharacter, quotedWords, readFlags, type Slice } from "./lineWords.ts";
import { type LogicalLine, logicalLines } from "./logicalLines.ts";
import { refusals } from "./refusals.ts";
import { trim } from "./whitespace.ts";

/** A Dockerfile, read. */
export interface Dockerfile {
  /** Its path. */
  readonly file: string;
  readonly escape: EscapeCharacter;
  readonly instructions: readonly Instruction[];
}

/** Longest file read, in characters. */
const longestText = 1 << 20;

/**
 * Reads a Dockerfile that continues an image.
 *
 * @param file its path, for errors
 * @throws SpacktainersError or SpacktainersErrors with the place of each problem: `DEFINITION_INVALID` for what no Dockerfile may
 *   say, `NOT_SUPPORTED` for what cannot be honoured here
 */
export function parseDockerfile(text: string, file: string): Dockerfile {
  if (text.length > longestText)
    throw new SpacktainersError("DEFINITION_INVALID", "the file is larger than 1 MiB", { place: { file } });
  const { escape: escapeCharacter, lines } = logicalLines(text, file);
  const instructions: Instruction[] = [];
  const problems: SpacktainersError[] = [];
  for (const line of lines) {
    try {
      instructions.push(new InstructionReader(line, file, escapeCharacter).read());
    } catch (error) {
      if (!(error instanceof SpacktainersError)) throw error;
      problems.push(error);
    }
  }
  const [only, ...more] = problems;
  if (only !== undefined) throw more.length === 0 ? only : new SpacktainersErrors(problems);
  return { file, escape: escapeCharacter, instructions };
}

const keywords = [
  "ADD",
  "ARG",
  "CMD",
  "COPY",
  "ENTRYPOINT",
  "ENV",
  "EXPOSE",
  "FROM",
  "HEALTHCHECK",
  "LABEL",
  "MAINTAINER",
  "ONBUILD",
  "RUN",
  "SHELL",
  "STOPSIGNAL",
  "USER",
  "VOLUME",
  "WORKDIR",
];

/** A flag, read. */
interface Flag extends Slice {
  readonly name: string;
  /** Undefined without `=`. */
  readonly value: string | undefined;
}

/** Reads one line. */
class InstructionReader {
  readonly #line: LogicalLine;
  readonly #file: string;
  readonly #escape: EscapeCharacter;
  readonly #place: InstructionPlace;
  readonly #flags: readonly Flag[];
  /** Where the arguments begin in the line. */
  readonly #start: number;
  /** The arguments, without white space around them. */
  readonly #arguments: string;

  constructor(line: LogicalLine, file: string, escapeCharacter: EscapeCharacter) {
    this.#line = line;
    this.#file = file;
    this.#escape = escapeCharacter;
    const [keyword] = blankSeparated(line.text, 0);
    const at = keyword?.at ?? 0;
    const end = at + (keyword?.text.length ?? 0);
    const { flags, rest } = readFlags(line.text, end, escapeCharacter);
    this.#flags = flags.map((flag) => {
      const equals = flag.text.indexOf("=");
      return equals < 0
        ? { ...flag, name: flag.text.slice(2), value: undefined }
        : { ...flag, name: flag.text.slice(2, equals), value: flag.text.slice(equals + 1) };
    });
    let start = rest;
    while (start < line.text.length && trim(line.text.charAt(start)) === "") start++;
    this.#start = start;
    this.#arguments = trim(line.text.slice(start));
    this.#place = {
      keyword: keyword?.text.toUpperCase() ?? "",
      ...line.position(at),
      endLine: line.endLine,
      text: trim(line.text.slice(end)),
    };
  }

  read(): Instruction {
    const place = this.#place;
    const { keyword } = place;
    const refusal = refusals[keyword];
    if (refusal !== undefined) throw this.#refused(refusal.message, refusal.hint);
    switch (keyword) {
      case "ENV":
      case "LABEL":
        this.#noFlags();
        return { ...place, kind: keyword === "ENV" ? "env" : "label", assignments: this.#assignments() };
      case "ARG":
        return { ...place, kind: "arg", arguments: this.#declarations() };
      case "WORKDIR":
      case "USER":
      case "STOPSIGNAL":
      case "MAINTAINER":
        this.#noFlags();
        return { ...place, kind: singleValued[keyword], value: this.#single() };
      case "CMD":
      case "ENTRYPOINT":
        this.#noFlags();
        return { ...place, kind: keyword === "CMD" ? "cmd" : "entrypoint", command: this.#command() };
      case "RUN":
        return this.#run();
      case "SHELL":
        return { ...place, kind: "shell", shell: this.#shell() };
      case "EXPOSE":
        this.#noFlags();
        return { ...place, kind: "expose", values: this.#needed(this.#blankWords()) };
      case "VOLUME":
        this.#noFlags();
        return { ...place, kind: "volume", values: this.#volumes() };
      case "COPY":
        return this.#copy();
      case "ADD":
        return this.#add();
      case "HEALTHCHECK":
        return this.#healthcheck();
      default:
        throw this.#unknown();
    }
  }

  #unknown(): SpacktainersError {
    const { keyword } = this.#place;
    return this.#wrong(`${printable(keyword)} is not an instruction`, {
      hint: didYouMean(keyword, keywords) ?? "a line is continued by a backslash at its end",
    });
  }

  #wrong(message: string, { at, hint }: { at?: number; hint?: string | undefined } = {}): SpacktainersError {
    const place = at === undefined ? this.#place : this.#line.position(at);
    return new SpacktainersError("DEFINITION_INVALID", message, {
      place: { file: this.#file, line: place.line, column: place.column },
      ...(hint === undefined ? {} : { hint }),
    });
  }

  #refused(message: string, hint: string, at?: number): SpacktainersError {
    const { line, column } = at === undefined ? this.#place : this.#line.position(at);
    return new SpacktainersError("NOT_SUPPORTED", message, {
      place: { file: this.#file, line, column },
      hint,
    });
  }

  #word({ text, at }: Slice): Word {
    return { text, ...this.#line.position(at) };
  }

  #blankWords(): readonly Word[] {
    return blankSeparated(this.#line.text, this.#start).map((slice) => this.#word(slice));
  }

  #needed<T>(list: readonly T[]): readonly T[] {
    if (list.length === 0) throw this.#wrong(`${this.#place.keyword} needs an argument`);
    return list;
  }

  #single(): Word {
    if (this.#arguments === "") throw this.#wrong(`${this.#place.keyword} needs an argument`);
    return this.#word({ text: this.#arguments, at: this.#start });
  }

  /** The flags by name; each at most once unless it may be repeated. */
  #known(names: Readonly<Record<string, "once" | "repeated">>): ReadonlyMap<string, readonly Flag[]> {
    const found = new Map<string, Flag[]>();
    for (const flag of this.#flags) {
      const kind = Object.hasOwn(names, flag.name) ? names[flag.name] : undefined;
      if (kind === undefined) {
        throw this.#wrong(`${this.#place.keyword} has no option ${printable(`--${flag.name}`)}`, {
          at: flag.at,
          hint: didYouMean(flag.name, Object.keys(names)),
        });
      }
      const before = found.get(flag.name) ?? [];
      if (kind === "once" && before.length > 0)
        throw this.#wrong(`--${flag.name} is given twice`, { at: flag.at });
      found.set(flag.name, [...before, flag]);
    }
    return found;
  }

  #noFlags(): void {
    this.#known({});
  }

  #valueWord(flag: Flag | undefined): Word | undefined {
    if (flag === undefined) return undefined;
    if (flag.value === undefined) throw this.#wrong(`--${flag.name} needs a value`, { at: flag.at });
    return this.#word({ text: flag.value, at: flag.at });
  }

  #boolean(flag: Flag | undefined): boolean | undefined {
    if (flag === undefined) return undefined;
    const value = flag.value?.toLowerCase();
    if (value === undefined || value === "true") return true;
    if (value === "false") return false;
    throw this.#wrong(`--${flag.name} is true or false`, { at: flag.at });
  }

  #assignments(): readonly Assignment[] {
    const { keyword } = this.#place;
    const words = this.#needed(quotedWords(this.#line.text, this.#start, this.#escape));
    const [first] = words;
    if (first !== undefined && !first.text.includes("=")) {
      // The old form: one name, and all that follows is its value.
      const [, name, value] = /^([^\t\v\f\r ]+)[\t\v\f\r ]+([\s\S]*)$/.exec(this.#arguments) ?? [];
      if (name === undefined || value === undefined)
        throw this.#wrong(`${keyword} needs a name and a value`, { hint: `write ${keyword} NAME=VALUE` });
      return [{ name: this.#word({ text: name, at: this.#start }), value }];
    }
    return words.map((word) => {
      const equals = word.text.indexOf("=");
      if (equals < 0)
        throw this.#wrong(`${JSON.stringify(word.text)} has no = in it`, {
          at: word.at,
          hint: "values with blanks in them need quotes",
        });
      if (equals === 0) throw this.#wrong("there is no name before =", { at: word.at });
      return {
        name: this.#word({ text: word.text.slice(0, equals), at: word.at }),
        value: word.text.slice(equals + 1),
      };
    });
  }

  #declarations(): readonly { readonly name: Word; readonly value: string | undefined }[] {
    this.#noFlags();
    return this.#needed(quotedWords(this.#line.text, this.#start, this.#escape)).map((word) => {
      const equals = word.text.indexOf("=");
      if (equals === 0) throw this.#wrong("there is no name before =", { at: word.at });
      return equals < 0
        ? { name: this.#word(word), value: undefined }
        : {
            name: this.#word({ text: word.text.slice(0, equals), at: word.at }),
            value: word.text.slice(equals + 1),
          };
    });
  }

  /** The arguments as a list in JSON; undefined when they are none. */
  #json(): readonly string[] | undefined {
    if (!this.#arguments.startsWith("[")) return undefined;
    let list: unknown;
    try {
      list = JSON.parse(this.#arguments);
    } catch {
      return undefined;
    }
    if (!Array.isArray(list)) return undefined;
    const texts = list.filter((item): item is string => typeof item === "string");
    if (texts.length < list.length)
      throw this.#wrong("a list in JSON form can only have texts in it", { at: this.#start });
    return texts;
  }

  #command(): CommandLine {
    const list = this.#json();
    if (list !== undefined) return { form: "exec", arguments: list };
    return { form: "shell", line: this.#arguments, heredocs: this.#line.heredocs };
  }

  #shell(): readonly string[] {
    this.#noFlags();
    const list = this.#json();
    if (list === undefined || list.length === 0)
      throw this.#wrong("SHELL needs a list in JSON form", { hint: 'write SHELL ["/bin/bash", "-c"]' });
    return list;
  }

  #volumes(): readonly Word[] {
    const list = this.#json()?.map((text) => this.#word({ text, at: this.#start })) ?? this.#blankWords();
    const values = this.#needed(list).map((word) => ({ ...word, text: trim(word.text) }));
    if (values.some(({ text }) => text === "")) throw this.#wrong("VOLUME cannot have an empty name in it");
    return values;
  }

  #run(): Instruction {
    const flags = this.#known({ mount: "repeated", network: "once", security: "once", device: "repeated" });
    const [security] = flags.get("security") ?? [];
    if (security !== undefined && security.value !== "sandbox")
      throw this.#refused(
        `--security=${security.value ?? ""} is not available`,
        "commands run with the rights of the user who builds",
        security.at,
      );
    const [device] = flags.get("device") ?? [];
    if (device !== undefined)
      throw this.#refused("commands of an epilogue get no devices", "leave --device out", device.at);
    const [network] = flags.get("network") ?? [];
    const kind = network?.value;
    if (network !== undefined && kind !== "default" && kind !== "none" && kind !== "host")
      throw this.#wrong("--network is default, none or host", { at: network.at });
    const command = this.#command();
    if (command.form === "exec" && command.arguments.length === 0) throw this.#wrong("RUN needs a command");
    if (command.form === "shell" && command.line === "") throw this.#wrong("RUN needs a command");
    return {
      ...this.#place,
      kind: "run",
      command,
      network: kind as "default" | "none" | "host" | undefined,
      mounts: (flags.get("mount") ?? []).map((flag) => this.#mount(flag)),
    };
  }

  #mount(flag: Flag): MountRequest {
    const word = this.#valueWord(flag);
    if (word === undefined) throw new Error("a mount has a flag");
    const fields = new Map<string, string>();
    for (const field of word.text.split(",")) {
      const equals = field.indexOf("=");
      const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
      fields.set(mountAliases[key] ?? key, equals < 0 ? "true" : field.slice(equals + 1));
    }
    return { word, fields };
  }

  #transfer(flags: ReadonlyMap<string, readonly Flag[]>): Transfer {
    const list = this.#json()?.map((text) => this.#word({ text, at: this.#start })) ?? this.#blankWords();
    const destination = list.at(-1);
    if (destination === undefined || list.length < 2)
      throw this.#wrong(`${this.#place.keyword} needs at least one source and a destination`);
    if (parseHeredocWord(destination.text) !== undefined)
      throw this.#wrong(`${this.#place.keyword} cannot have a here-document as its destination`);
    const heredocs = new Map(this.#line.heredocs.map((heredoc) => [heredoc.name, heredoc]));
    const sources: Word[] = [];
    const documents: Heredoc[] = [];
    for (const word of list.slice(0, -1)) {
      const asked = parseHeredocWord(word.text);
      const document = asked === undefined ? undefined : heredocs.get(asked.name);
      if (document === undefined) sources.push(word);
      else documents.push(document);
    }
    const [chown, chmod] = ["chown", "chmod"].map((name) => this.#valueWord(flags.get(name)?.[0]));
    const exclude = (flags.get("exclude") ?? []).flatMap((flag) => this.#valueWord(flag) ?? []);
    return { sources, documents, destination, chown, chmod, exclude };
  }

  #copy(): Instruction {
    const flags = this.#known({
      from: "once",
      chown: "once",
      chmod: "once",
      link: "once",
      parents: "once",
      exclude: "repeated",
    });
    const [from] = flags.get("from") ?? [];
    if (from !== undefined)
      throw this.#refused(
        `an epilogue cannot copy from ${from.value ?? "another image"}`,
        "an epilogue is one stage on the assembled image; copy files that lie beside it",
        from.at,
      );
    this.#boolean(flags.get("link")?.[0]);
    const [parents] = flags.get("parents") ?? [];
    if (this.#boolean(parents) === true)
      throw this.#refused("--parents is not supported", "write a COPY for each folder", parents?.at);
    return { ...this.#place, kind: "copy", ...this.#transfer(flags) };
  }

  #add(): Instruction {
    const flags = this.#known({
      chown: "once",
      chmod: "once",
      link: "once",
      checksum: "once",
      unpack: "once",
      "keep-git-dir": "once",
      exclude: "repeated",
    });
    const [keepGit] = flags.get("keep-git-dir") ?? [];
    if (keepGit !== undefined)
      throw this.#refused(
        "ADD cannot clone git repositories here",
        "clone it in a RUN, or copy files",
        keepGit.at,
      );
    this.#boolean(flags.get("link")?.[0]);
    return {
      ...this.#place,
      kind: "add",
      checksum: this.#valueWord(flags.get("checksum")?.[0]),
      unpack: this.#boolean(flags.get("unpack")?.[0]),
      ...this.#transfer(flags),
    };
  }

  #healthcheck(): Instruction {
    if (trim(this.#arguments).toUpperCase() === "NONE") {
      this.#noFlags();
      return { ...this.#place, kind: "healthcheck-none" };
    }
    throw this.#refused(
      "images in OCI format have no HEALTHCHECK",
      "whoever starts the container decides how to watch it; leave this out, or write HEALTHCHECK NONE",
    );
  }
}

const singleValued = {
  WORKDIR: "workdir",
  USER: "user",
  STOPSIGNAL: "stopsignal",
  MAINTAINER: "maintainer",
} as const;

/** Other names of the fields of a mount. */
const mountAliases: Readonly<Record<string, string>> = {
  src: "source",
  dst: "target",
  destination: "target",
  ro: "readonly",
  rw: "readwrite",
};
