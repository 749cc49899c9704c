import { expect, it } from "vitest";
import { systemName } from "../../../src/pipeline/choose/machineSystem.ts";

it.each([
  ['ID=debian\nVERSION_ID="12"\n', "debian12"],
  ['ID=ubuntu\nVERSION_ID="24.04"\n', "ubuntu24.04"],
  ['ID="rocky"\nVERSION_ID="9.3"\n', "rocky9"],
  ["ID=arch\n", "arch"],
  ["NAME=nothing\n", undefined],
])("%j is %s", (text, name) => expect(systemName(text)).toBe(name));
