/**
 * Reads a Dockerfile that continues an image: the text becomes typed instructions, and whatever is wrong or cannot be honoured
 * is named with its line.
 */

import { SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import type { Instruction } from "./instruction.ts";
import { InstructionLine } from "./instructionLine.ts";
import type { EscapeCharacter } from "./lineWords.ts";
import { logicalLines } from "./logicalLines.ts";
import { readInstruction } from "./readInstruction.ts";

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
      instructions.push(readInstruction(new InstructionLine(line, file, escapeCharacter)));
    } catch (error) {
      if (!(error instanceof SpacktainersError)) throw error;
      problems.push(error);
    }
  }
  const [only, ...more] = problems;
  if (only !== undefined) throw more.length === 0 ? only : new SpacktainersErrors(problems);
  return { file, escape: escapeCharacter, instructions };
}
