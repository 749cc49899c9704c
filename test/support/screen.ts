import type { ReportStream } from "../../src/cli/report/types.ts";

/** A terminal of so many columns that knows what the live display uses: lines, moving up, erasing what is below, and styles. */
export interface Screen {
  readonly stream: ReportStream;
  /** What is to be seen now, without styles; lines that are too long are broken as terminals break them. */
  lines(): readonly string[];
}

/** Makes one. @throws when something else is written than it knows */
export function makeScreen(columns: number): Screen {
  const lines: string[] = [""];
  let row = 0;
  const put = (character: string): void => {
    if (character === "\n") {
      row++;
      lines[row] ??= "";
      return;
    }
    // In the last column the next character goes to a new line.
    if ((lines[row] ?? "").length === columns) {
      row++;
      lines[row] = "";
    }
    lines[row] = `${lines[row] ?? ""}${character}`;
  };
  const write = (text: string): void => {
    const [plain = "", ...pieces] = text.split("\u001b[");
    for (const character of plain) put(character);
    for (const piece of pieces) {
      const sequence = /^[\d;]*[A-Za-z]/.exec(piece)?.[0] ?? "";
      act(sequence);
      for (const character of piece.slice(sequence.length)) put(character);
    }
  };
  const act = (sequence: string): void => {
    if (/^\d+A$/.test(sequence)) row = Math.max(0, row - Number.parseInt(sequence, 10));
    else if (sequence === "J") {
      lines.length = row;
      lines[row] = "";
    } else if (!sequence.endsWith("m")) throw new Error(`unknown sequence ${sequence}`);
  };
  return {
    stream: {
      isTTY: true,
      columns,
      write: (text: string | Uint8Array) => {
        write(String(text));
        return true;
      },
    },
    lines: () => lines.filter((line, at) => line !== "" || at < row),
  };
}
