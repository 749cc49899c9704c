import { describe, expect, test } from "vitest";
import { checksumOf } from "../../../src/pipeline/epilogue/epilogueLayers.ts";

const word = (text: string) => ({ text, line: 3, column: 5 });
const digest = `sha256:${"0f".repeat(32)}`;
const source = word("https://example.org/a.tar");

describe("checksumOf", () => {
  test("gives the digest that is written", () => {
    expect(checksumOf({ checksum: word(digest), sources: [source] }, "Dockerfile.epilogue")).toBe(digest);
  });

  test.each([
    ["none", undefined, [source]],
    ["one for two sources", word(digest), [source, source]],
    ["another algorithm", word(`md5:${"0".repeat(32)}`), [source]],
  ])("refuses %s, with its place", (_, checksum, sources) => {
    expect(() => checksumOf({ checksum, sources }, "Dockerfile.epilogue")).toThrow(
      expect.objectContaining({
        code: "DEFINITION_INVALID",
        place: { file: "Dockerfile.epilogue", line: 3, column: 5 },
      }),
    );
  });
});
