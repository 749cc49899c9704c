/**
 * Our reading of Dockerfiles beside BuildKit's own. The answers were given by its parser, its shell words and its ignore files:
 * scripts/refresh-dockerfile-answers.mjs.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { expandWord, expandWords } from "../../src/dockerfile/expandWord.ts";
import { ExpansionError } from "../../src/dockerfile/expansionError.ts";
import { heredocContent } from "../../src/dockerfile/heredocs.ts";
import { parseIgnoreFile } from "../../src/dockerfile/ignoreFile.ts";
import type { CommandLine, Instruction, Transfer } from "../../src/dockerfile/instruction.ts";
import { parseDockerfile } from "../../src/dockerfile/parseDockerfile.ts";
import { SpacktainersError, SpacktainersErrors } from "../../src/util/errors.ts";

interface Question {
  readonly ask: "parse" | "word" | "words" | "ignore";
  readonly text: string;
  readonly env?: readonly string[];
  readonly escape?: string;
  readonly raw?: boolean;
  readonly paths?: readonly string[];
}

const questions = lines("questions.jsonl") as readonly Question[];
const answers = lines("answers.jsonl") as readonly Record<string, unknown>[];

function lines(name: string): readonly unknown[] {
  const text = readFileSync(join(import.meta.dirname, name), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
}

function asked(
  ...kinds: readonly Question["ask"][]
): readonly (readonly [Question, Record<string, unknown>])[] {
  return questions.flatMap((question, index) =>
    kinds.includes(question.ask) ? [[question, answers[index] ?? {}] as const] : [],
  );
}

describe("BuildKit's answers", () => {
  it("has an answer to every question", () => {
    expect(answers.length).toBe(questions.length);
    expect(questions.length).toBeGreaterThan(1000);
  });

  it("agrees on words", () => {
    for (const [question, answer] of asked("word", "words")) {
      const { error: _, ...expected } = answer;
      expect({ question, answer: expandAs(question) }).toEqual({
        question,
        answer: "error" in answer ? "error" : expected,
      });
    }
  });

  it("agrees on ignore files", () => {
    for (const [question, answer] of asked("ignore")) {
      expect({ text: question.text, answer: ignoreAs(question) }).toEqual({
        text: question.text,
        answer: "error" in answer ? "error" : answer.ignored,
      });
    }
  });

  it("agrees on instructions", () => {
    let refused = 0;
    for (const [question, answer] of asked("parse")) {
      const ours = instructionsAs(question.text);
      if (ours === "refused") refused++;
      else
        expect
          .soft({ text: question.text, is: ours })
          .toEqual({ text: question.text, is: expectedOf(answer) });
    }
    expect(refused).toBeLessThan(10);
  });
});

function expandAs({ ask, text, env = [], escape: character = "\\", raw = false }: Question): unknown {
  const values = new Map(env.map((line) => [line.split("=")[0] ?? "", line.slice(line.indexOf("=") + 1)]));
  const options = { variable: (name: string) => values.get(name), escape: character, ignoreQuotes: raw };
  try {
    return ask === "word" ? { word: expandWord(text, options) } : { words: expandWords(text, options) };
  } catch (error) {
    if (error instanceof ExpansionError) return "error";
    throw error;
  }
}

function ignoreAs({ text, paths = [] }: Question): unknown {
  try {
    const patterns = parseIgnoreFile(text, ".dockerignore");
    return paths.filter((path) => patterns.matches(path));
  } catch (error) {
    if (error instanceof SpacktainersError) return "error";
    throw error;
  }
}

interface Answered {
  readonly keyword: string;
  readonly line: number;
  readonly endLine: number;
  readonly is?: Record<string, unknown>;
}

function expectedOf(answer: Record<string, unknown>): unknown {
  if ("error" in answer) return answer.error === "file with no instructions" ? [] : "error";
  const list = answer.instructions as readonly Answered[];
  if (list.some((one) => one.is === undefined)) return "error";
  // BuildKit finds out only when it runs it.
  if (list.some((one) => one.keyword === "RUN" && String(one.is?.args) === "")) return "error";
  return list.map(({ keyword, line, endLine, is = {} }) => {
    // Whatever we refuse is not compared, nor what is the same for all.
    const { link: _, parents: __, from: ___, keepGitDir: ____, flags: _____, ...rest } = is;
    const sorted = keyword === "EXPOSE" ? { list: [...(rest.list as readonly string[])].sort() } : rest;
    return { keyword, line, endLine, is: keyword === "HEALTHCHECK" ? {} : sorted };
  });
}

function instructionsAs(text: string): unknown {
  try {
    return parseDockerfile(text, "Dockerfile").instructions.map((instruction) => ({
      keyword: instruction.keyword,
      // Ours is the keyword's line; BuildKit's the one where the instruction's text begins, be that only a continuation.
      line: /^\s*\\\n/.test(text) && instruction.line === 2 ? 1 : instruction.line,
      endLine: instruction.endLine,
      is: described(instruction),
    }));
  } catch (error) {
    const errors = error instanceof SpacktainersErrors ? error.errors : [error];
    if (!errors.every((one) => one instanceof SpacktainersError)) throw error;
    for (const { place } of errors)
      expect(place).toMatchObject({ file: "Dockerfile", line: expect.any(Number) });
    return errors.every(({ code }) => code === "NOT_SUPPORTED") ? "refused" : "error";
  }
}

function described(instruction: Instruction): unknown {
  switch (instruction.kind) {
    case "env":
    case "label":
      return { pairs: instruction.assignments.map(({ name, value }) => [name.text, value]) };
    case "arg":
      return {
        args: instruction.arguments.map(({ name, value }) => [
          name.text,
          ...(value === undefined ? [] : [value]),
        ]),
      };
    case "workdir":
    case "user":
    case "stopsignal":
    case "maintainer":
      return { text: instruction.value.text };
    case "cmd":
    case "entrypoint":
    case "run":
      return commandOf(instruction.command);
    case "shell":
      return { list: instruction.shell };
    case "expose":
      return { list: instruction.values.map(({ text }) => text).sort() };
    case "volume":
      return { list: instruction.values.map(({ text }) => text) };
    case "copy":
      return transferOf(instruction);
    case "add":
      return {
        ...transferOf(instruction),
        checksum: instruction.checksum?.text ?? "",
        unpack: instruction.unpack ?? null,
      };
    case "healthcheck-none":
      return {};
  }
}

function commandOf(command: CommandLine): unknown {
  if (command.form === "exec") return { args: command.arguments, shell: false, files: [] };
  return {
    args: command.line === "" ? [] : [command.line],
    shell: true,
    files: command.heredocs.map(({ name, content, chomp }) => ({ name, data: content, chomp })),
  };
}

function transferOf(transfer: Transfer): object {
  return {
    paths: transfer.sources.map(({ text }) => text),
    contents: transfer.documents.map((document) => ({
      name: document.name,
      data: heredocContent(document),
      expand: document.expand,
    })),
    dest: transfer.destination.text,
    chown: transfer.chown?.text ?? "",
    chmod: transfer.chmod?.text ?? "",
    exclude: transfer.exclude.map(({ text }) => text),
  };
}
