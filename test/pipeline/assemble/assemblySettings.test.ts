import { describe, expect, test } from "vitest";
import {
  type AssemblySettings,
  formatAssemblySettings,
  parseAssemblySettings,
} from "../../../src/pipeline/assemble/assemblySettings.ts";

const settings: AssemblySettings = {
  configuration: { install: { root: "/opt/software", projections: undefined }, view: { root: "/opt/view" } },
  dialect: "1.x",
  allow: ["libcuda.so.1"],
  compression: { format: "zstd", level: 3 },
};
const place = { file: "image" };

describe("parseAssemblySettings", () => {
  test("reads what formatAssemblySettings wrote", () => {
    expect(parseAssemblySettings(formatAssemblySettings(settings), place)).toEqual(settings);
  });

  test.each([
    ["no JSON", "{"],
    ["a relative path", formatAssemblySettings(settings).replace("/opt/view", "view")],
    ["a level that the format has not", formatAssemblySettings(settings).replace('"level":3', '"level":99')],
    ["a field that nobody wrote", formatAssemblySettings(settings).replace("{", '{"more":1,')],
  ])("refuses %s", (_, text) => {
    expect(() => parseAssemblySettings(text, place)).toThrow(
      expect.objectContaining({ code: "ARCHIVE_INVALID", place }),
    );
  });
});
