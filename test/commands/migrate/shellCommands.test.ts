import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shellCommands } from "../../../src/commands/migrate/shellCommands.ts";

const words = (text: string, variables?: ReadonlyMap<string, string>): readonly (readonly string[])[] =>
  shellCommands(text, variables).map((command) => command.words.map((word) => word.text));

describe("shellCommands", () => {
  it("takes a text apart at operators, outside of quotes", () => {
    expect(words("a 'b && c' && d \"e;f\" ; g\\ h | i || j & k\nl # m && n")).toEqual([
      ["a", "b && c"],
      ["d", "e;f"],
      ["g h"],
      ["i"],
      ["j"],
      ["k"],
      ["l"],
    ]);
  });

  it("fills in the variables that are known, but not between single quotes", () => {
    expect(words("$A ${B:-x}/y '$A' \"${A}\"", new Map([["A", "1"]]))).toEqual([
      ["1", "${B:-x}/y", "$A", "1"],
    ]);
  });

  it("knows where output goes, that of groups too", () => {
    const outputs = (text: string) => shellCommands(text).map(({ output }) => output);
    expect(outputs("echo a > f && echo b >> g 2>&1; echo c 2> h")).toEqual(["f", "g", undefined]);
    expect(outputs("(echo a && echo b) > f; { echo c; echo d >g; } > h")).toEqual(["f", "f", "h", "g"]);
  });

  it("counts here-documents", () => {
    expect(
      shellCommands("cat <<EOF > a && cat <<-'END' > b").map(({ heredoc, output }) => [heredoc, output]),
    ).toEqual([
      [0, "a"],
      [1, "b"],
    ]);
  });

  it("ends for any text, and says where words are", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."ab $(){};&|<>'\"\\\n#=-"), maxLength: 60 }),
        (text) => {
          for (const command of shellCommands(text))
            for (const word of command.words) {
              expect(word.at).toBeGreaterThanOrEqual(0);
              expect(word.at).toBeLessThan(text.length);
            }
        },
      ),
    );
  });
});
