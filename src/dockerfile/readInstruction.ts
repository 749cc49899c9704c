/** Reads instructions: what is written in one line becomes a typed instruction. */
import { printable } from "../archive/names.ts";
import { didYouMean } from "../definitions/nearest.ts";
import type { SpacktainersError } from "../util/errors.ts";
import { type Heredoc, parseHeredocWord } from "./heredocs.ts";
import type { Assignment, CommandLine, Instruction, MountRequest, Transfer, Word } from "./instruction.ts";
import type { Flag, InstructionLine } from "./instructionLine.ts";
import { trim } from "./whitespace.ts";

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

/**
 * Reads one instruction.
 * @throws SpacktainersError with the place: `DEFINITION_INVALID` for what no Dockerfile may say, `NOT_SUPPORTED` for what cannot
 *   be honoured here
 */
export function readInstruction(line: InstructionLine): Instruction {
  const place = line.place;
  const { keyword } = place;
  const refusal = refusals[keyword];
  if (refusal !== undefined) throw line.refused(refusal.message, refusal.hint);
  switch (keyword) {
    case "ENV":
    case "LABEL":
      line.noFlags();
      return { ...place, kind: keyword === "ENV" ? "env" : "label", assignments: assignmentsOf(line) };
    case "ARG":
      return { ...place, kind: "arg", arguments: declarationsOf(line) };
    case "WORKDIR":
    case "USER":
    case "STOPSIGNAL":
    case "MAINTAINER":
      line.noFlags();
      return { ...place, kind: singleValued[keyword], value: line.single() };
    case "CMD":
    case "ENTRYPOINT":
      line.noFlags();
      return { ...place, kind: keyword === "CMD" ? "cmd" : "entrypoint", command: commandOf(line) };
    case "RUN":
      return runOf(line);
    case "SHELL":
      return { ...place, kind: "shell", shell: shellOf(line) };
    case "EXPOSE":
      line.noFlags();
      return { ...place, kind: "expose", values: line.needed(line.blankWords()) };
    case "VOLUME":
      line.noFlags();
      return { ...place, kind: "volume", values: volumesOf(line) };
    case "COPY":
      return copyOf(line);
    case "ADD":
      return addOf(line);
    case "HEALTHCHECK":
      return healthcheckOf(line);
    default:
      throw unknownInstruction(line);
  }
}

function unknownInstruction(line: InstructionLine): SpacktainersError {
  const { keyword } = line.place;
  return line.wrong(`${printable(keyword)} is not an instruction`, {
    hint: didYouMean(keyword, keywords) ?? "a line is continued by a backslash at its end",
  });
}

function assignmentsOf(line: InstructionLine): readonly Assignment[] {
  const { keyword } = line.place;
  const words = line.quotedWords();
  const [first] = words;
  if (first !== undefined && !first.text.includes("=")) {
    // The old form: one name, and all that follows is its value.
    const [, name, value] = /^([^\t\v\f\r ]+)[\t\v\f\r ]+([\s\S]*)$/.exec(line.arguments) ?? [];
    if (name === undefined || value === undefined)
      throw line.wrong(`${keyword} needs a name and a value`, { hint: `write ${keyword} NAME=VALUE` });
    return [{ name: line.word({ text: name, at: line.start }), value }];
  }
  return words.map((word) => {
    const equals = word.text.indexOf("=");
    if (equals < 0)
      throw line.wrong(`${JSON.stringify(word.text)} has no = in it`, {
        at: word.at,
        hint: "values with blanks in them need quotes",
      });
    if (equals === 0) throw line.wrong("there is no name before =", { at: word.at });
    return {
      name: line.word({ text: word.text.slice(0, equals), at: word.at }),
      value: word.text.slice(equals + 1),
    };
  });
}

function declarationsOf(
  line: InstructionLine,
): readonly { readonly name: Word; readonly value: string | undefined }[] {
  line.noFlags();
  return line.quotedWords().map((word) => {
    const equals = word.text.indexOf("=");
    if (equals === 0) throw line.wrong("there is no name before =", { at: word.at });
    return equals < 0
      ? { name: line.word(word), value: undefined }
      : {
          name: line.word({ text: word.text.slice(0, equals), at: word.at }),
          value: word.text.slice(equals + 1),
        };
  });
}

function commandOf(line: InstructionLine): CommandLine {
  const list = line.json();
  if (list !== undefined) return { form: "exec", arguments: list };
  return { form: "shell", line: line.arguments, heredocs: line.heredocs };
}

function shellOf(line: InstructionLine): readonly string[] {
  line.noFlags();
  const list = line.json();
  if (list === undefined || list.length === 0)
    throw line.wrong("SHELL needs a list in JSON form", { hint: 'write SHELL ["/bin/bash", "-c"]' });
  return list;
}

function volumesOf(line: InstructionLine): readonly Word[] {
  const list = line.json()?.map((text) => line.word({ text, at: line.start })) ?? line.blankWords();
  const values = line.needed(list).map((word) => ({ ...word, text: trim(word.text) }));
  if (values.some(({ text }) => text === "")) throw line.wrong("VOLUME cannot have an empty name in it");
  return values;
}

function runOf(line: InstructionLine): Instruction {
  const flags = line.known({ mount: "repeated", network: "once", security: "once", device: "repeated" });
  const [security] = flags.get("security") ?? [];
  if (security !== undefined && security.value !== "sandbox")
    throw line.refused(
      `--security=${security.value ?? ""} is not available`,
      "commands run with the rights of the user who builds",
      security.at,
    );
  const [device] = flags.get("device") ?? [];
  if (device !== undefined)
    throw line.refused("commands of an epilogue get no devices", "leave --device out", device.at);
  const [network] = flags.get("network") ?? [];
  const kind = network?.value;
  if (network !== undefined && kind !== "default" && kind !== "none" && kind !== "host")
    throw line.wrong("--network is default, none or host", { at: network.at });
  const command = commandOf(line);
  if (command.form === "exec" && command.arguments.length === 0) throw line.wrong("RUN needs a command");
  if (command.form === "shell" && command.line === "") throw line.wrong("RUN needs a command");
  return {
    ...line.place,
    kind: "run",
    command,
    network: kind as "default" | "none" | "host" | undefined,
    mounts: (flags.get("mount") ?? []).map((flag) => mountOf(line, flag)),
  };
}

function mountOf(line: InstructionLine, flag: Flag): MountRequest {
  const word = line.valueWord(flag);
  if (word === undefined) throw new Error("a mount has a flag");
  const fields = new Map<string, string>();
  for (const field of word.text.split(",")) {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    fields.set(mountAliases[key] ?? key, equals < 0 ? "true" : field.slice(equals + 1));
  }
  return { word, fields };
}

function transferOf(line: InstructionLine, flags: ReadonlyMap<string, readonly Flag[]>): Transfer {
  const list = line.json()?.map((text) => line.word({ text, at: line.start })) ?? line.blankWords();
  const destination = list.at(-1);
  if (destination === undefined || list.length < 2)
    throw line.wrong(`${line.place.keyword} needs at least one source and a destination`);
  if (parseHeredocWord(destination.text) !== undefined)
    throw line.wrong(`${line.place.keyword} cannot have a here-document as its destination`);
  const heredocs = new Map(line.heredocs.map((heredoc) => [heredoc.name, heredoc]));
  const sources: Word[] = [];
  const documents: Heredoc[] = [];
  for (const word of list.slice(0, -1)) {
    const asked = parseHeredocWord(word.text);
    const document = asked === undefined ? undefined : heredocs.get(asked.name);
    if (document === undefined) sources.push(word);
    else documents.push(document);
  }
  const [chown, chmod] = ["chown", "chmod"].map((name) => line.valueWord(flags.get(name)?.[0]));
  const exclude = (flags.get("exclude") ?? []).flatMap((flag) => line.valueWord(flag) ?? []);
  return { sources, documents, destination, chown, chmod, exclude };
}

function copyOf(line: InstructionLine): Instruction {
  const flags = line.known({
    from: "once",
    chown: "once",
    chmod: "once",
    link: "once",
    parents: "once",
    exclude: "repeated",
  });
  const [from] = flags.get("from") ?? [];
  if (from !== undefined)
    throw line.refused(
      `an epilogue cannot copy from ${from.value ?? "another image"}`,
      "an epilogue is one stage on the assembled image; copy files that lie beside it",
      from.at,
    );
  line.boolean(flags.get("link")?.[0]);
  const [parents] = flags.get("parents") ?? [];
  if (line.boolean(parents) === true)
    throw line.refused("--parents is not supported", "write a COPY for each folder", parents?.at);
  return { ...line.place, kind: "copy", ...transferOf(line, flags) };
}

function addOf(line: InstructionLine): Instruction {
  const flags = line.known({
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
    throw line.refused(
      "ADD cannot clone git repositories here",
      "clone it in a RUN, or copy files",
      keepGit.at,
    );
  line.boolean(flags.get("link")?.[0]);
  return {
    ...line.place,
    kind: "add",
    checksum: line.valueWord(flags.get("checksum")?.[0]),
    unpack: line.boolean(flags.get("unpack")?.[0]),
    ...transferOf(line, flags),
  };
}

function healthcheckOf(line: InstructionLine): Instruction {
  if (trim(line.arguments).toUpperCase() === "NONE") {
    line.noFlags();
    return { ...line.place, kind: "healthcheck-none" };
  }
  throw line.refused(
    "images in OCI format have no HEALTHCHECK",
    "whoever starts the container decides how to watch it; leave this out, or write HEALTHCHECK NONE",
  );
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

/** Instructions of Dockerfiles that make no sense after an assembled image, and what to do instead. */
const refusals: Readonly<Record<string, { readonly message: string; readonly hint: string } | undefined>> = {
  FROM: {
    message: "an epilogue continues the assembled image: it has no FROM",
    hint: "remove the line; what lies underneath is `base:` in spacktainers.yaml",
  },
  ONBUILD: {
    message: "images in OCI format have no ONBUILD",
    hint: "put the instruction into the Dockerfile that builds on this image",
  },
};
