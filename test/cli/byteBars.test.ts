import { describe, expect, it } from "vitest";
import { barLegend, byteBars } from "../../src/cli/byteBars.ts";

const rows = [
  { label: "base", bytes: 12_000_000, kind: "full" },
  { label: "2 packages in a layer", bytes: 3_000_000, kind: "light" },
  { label: "zlib@1.3", bytes: 2_999_000, kind: "light", isInside: true },
  { label: "tiny@1", bytes: 1000, kind: "light", isInside: true },
  { label: "nothing@1", bytes: 0, kind: "full" },
] as const;
const whole = 15_000_000;
const lengths = (text: string): readonly number[] =>
  text.split("\n").map((line) => /[█░]*$/.exec(line)?.[0].length ?? 0);

describe("bars of bytes", () => {
  it("say name, bytes and part, and are as long as the bytes", () => {
    expect(byteBars(rows, whole, { columns: 61, color: false }).split("\n")).toEqual([
      "base                   12.0 MB  80 %  ██████████████████████",
      "2 packages in a layer   3.0 MB  20 %  ░░░░░░",
      "  zlib@1.3              3.0 MB  20 %  ░░░░░",
      "  tiny@1                1.0 kB   0 %  ░",
      "nothing@1                  0 B   0 %",
    ]);
  });

  it.each([20, 40, 80, 120, 300])("fit into %i columns", (columns) => {
    const text = byteBars(rows, whole, { columns, color: false });
    // There is a width below which nothing can be seen.
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(Math.max(columns - 1, 36));
    expect(lengths(text)[0]).toBeGreaterThanOrEqual(4);
    expect(lengths(text)[3]).toBe(1);
  });

  it("are made for 80 columns where there is no terminal", () => {
    const text = byteBars(rows, whole, { columns: undefined, color: false });
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBe(79);
  });

  it("have colours only where they are wanted, and always the same text", () => {
    const colored = byteBars(rows, whole, { columns: 80, color: true });
    const plain = byteBars(rows, whole, { columns: 80, color: false });
    expect(colored).toContain("\u001b[36m█");
    expect(colored).toContain("\u001b[33m░");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is taken out
    expect(colored.replace(/\u001b\[\d+m/g, "")).toBe(plain);
    expect(plain).not.toContain("\u001b");
  });

  it("let no name act on a terminal", () => {
    const evil = [{ label: "a\u001b[2J\nb", bytes: 1, kind: "full" }] as const;
    expect(byteBars(evil, undefined, { columns: 80, color: false })).toMatch(
      /^a\\u001b\[2J\\nb {2}1 B {2}█+$/,
    );
  });

  it("are explained in one line if there is room, else in several", () => {
    const parts = [
      "49.0 MB in all",
      ["full", "compressed"],
      ["light", "archives, not installed yet"],
    ] as const;
    expect(barLegend(parts, { columns: 80, color: false })).toBe(
      "49.0 MB in all  █ compressed  ░ archives, not installed yet",
    );
    expect(barLegend(parts, { columns: 40, color: true }).split("\n")).toEqual([
      "49.0 MB in all  \u001b[36m█\u001b[39m compressed",
      "\u001b[33m░\u001b[39m archives, not installed yet",
    ]);
  });
});
