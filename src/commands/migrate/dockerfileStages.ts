/** A whole Dockerfile as stages, read for a migration: more loosely than those that are carried out. */
import type { Heredoc } from "../../dockerfile/heredocs.ts";
import { logicalLines } from "../../dockerfile/logicalLines.ts";
import type { Place } from "../../util/errors.ts";

/** An instruction. */
export interface StageInstruction {
  /** In capitals. */
  readonly keyword: string;
  /** What follows it on its line, `ARG`s filled in where they have a value. */
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
  /** Its physical lines, as they stand in the file. */
  readonly source: readonly string[];
  readonly place: Place;
  /** Where a character of `text` stands, by line. */
  placeAt(offset: number): Place;
}

/** One stage. */
export interface DockerStage {
  /** The image it starts from, or the name of an earlier stage. */
  readonly from: string;
  readonly name: string | undefined;
  readonly place: Place;
  readonly instructions: readonly StageInstruction[];
  /** Values of its ARG and ENV, with those before the first stage. */
  readonly variables: ReadonlyMap<string, string>;
}

/**
 * Reads a Dockerfile.
 *
 * @param file its path, for places
 * @throws {SpacktainersError} `DEFINITION_INVALID` for a here-document without end
 */
export function dockerfileStages(text: string, file: string): readonly DockerStage[] {
  const physical = text.split("\n");
  const globals = new Map<string, string>();
  const stages: (DockerStage & {
    readonly instructions: StageInstruction[];
    readonly variables: Map<string, string>;
  })[] = [];
  for (const line of logicalLines(text, file).lines) {
    const [, word = "", rest = ""] = /^(\S+)\s*([\s\S]*)$/.exec(line.text) ?? [];
    const keyword = word.toUpperCase();
    const place = { file, ...line.position(0) };
    const stage = stages.at(-1);
    if (keyword === "FROM") {
      const [, from = "", name] = /^(?:--\S+\s+)*(\S+)(?:\s+as\s+(\S+))?/i.exec(rest) ?? [];
      stages.push({
        from: expand(from, globals),
        name: name?.toLowerCase(),
        place,
        instructions: [],
        variables: new Map(globals),
      });
      continue;
    }
    const variables = stage?.variables ?? globals;
    if (keyword === "ARG" || keyword === "ENV")
      for (const { name, value } of assignments(rest)) variables.set(name, expand(value, variables));
    const offset = line.text.length - rest.length;
    stage?.instructions.push({
      keyword,
      text: rest,
      heredocs: line.heredocs,
      source: physical.slice(line.line - 1, line.endLine),
      place,
      placeAt: (at) => ({ file, ...line.position(offset + at) }),
    });
  }
  return stages;
}

/** A variable that is set. */
export interface EnvAssignment {
  readonly name: string;
  /** Without quotes. */
  readonly value: string;
  /** As it is written. */
  readonly source: string;
}

/** `NAME=value` pairs of an ARG or ENV; `ENV NAME value` too. */
export function assignments(text: string): readonly EnvAssignment[] {
  const old = /^([A-Za-z_]\w*)\s+([^=]*)$/.exec(text.trim());
  if (old !== null) {
    const [name = "", value = ""] = [old[1], old[2]?.trim()];
    return [{ name, value, source: `${name} ${value}` }];
  }
  return [...text.matchAll(/([A-Za-z_]\w*)=("(?:[^"\\]|\\.)*"|'[^']*'|\S*)/g)].map(
    ([source, name = "", value = ""]) => ({ name, value: value.replace(/^(["'])(.*)\1$/s, "$2"), source }),
  );
}

/** Fills in `$NAME`, `${NAME}` and `${NAME:-default}`; what has no value stays. */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(
    /\$(?:\{([A-Za-z_]\w*)(?::?-([^}]*))?\}|([A-Za-z_]\w*))/g,
    (whole, braced: string | undefined, fallback: string | undefined, plain: string | undefined) =>
      variables.get(braced ?? plain ?? "") ?? fallback ?? whole,
  );
}
