import { expect, it } from "vitest";
import { findingList } from "../../../src/commands/migrate/migration.ts";
import { spackRef, takeSpackRef } from "../../../src/commands/migrate/spackRef.ts";

it.each([
  ["latest", "develop"],
  ["develop", "develop"],
  ["1.1", "releases/v1.1"],
  ["1.1.0", "v1.1.0"],
  ["v1.0.2", "v1.0.2"],
  ["my-branch", "my-branch"],
])("%s is made from %s", (tag, ref) => expect(spackRef(tag)).toBe(ref));

it("leaves a Spack that is too old to people", () => {
  const list = findingList();
  expect(takeSpackRef("0.22", { file: "Dockerfile" }, list)).toBeUndefined();
  expect(takeSpackRef("0.23.1", { file: "Dockerfile" }, list)?.ref).toBe("v0.23.1");
  expect(takeSpackRef("1.1.0", { file: "Dockerfile" }, list)?.ref).toBe("v1.1.0");
  expect(list.findings.map(({ kind }) => kind)).toEqual(["todo", "taken", "taken"]);
});
