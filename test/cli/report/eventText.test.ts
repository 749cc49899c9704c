import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { stageText } from "../../../src/cli/report/eventText.ts";

it("says of every stage what docs/library.md says of it", () => {
  const [, section = ""] = readFileSync("docs/library.md", "utf8").split("### Stages\n");
  const rows = [...(section.split("\n#")[0]?.matchAll(/^\| `([a-z]+-[a-z-]+)` \| (.*) \|$/gm) ?? [])];
  expect(Object.fromEntries(rows.map(([, id = "", text = ""]) => [id, text]))).toEqual(stageText);
});
