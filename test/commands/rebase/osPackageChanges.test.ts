import { expect, it } from "vitest";
import type { BasePackage } from "../../../src/base/types.ts";
import { osPackageChanges } from "../../../src/commands/rebase/osPackageChanges.ts";

function packages(versions: Readonly<Record<string, string>>): readonly BasePackage[] {
  return Object.entries(versions).map(([name, version]) => ({ name, version }) as BasePackage);
}

it("has what came, went and changed, by name", () => {
  expect(
    osPackageChanges(
      packages({ libc6: "2.36-9", bash: "5.2", dash: "0.5" }),
      packages({ libc6: "2.36-10", bash: "5.2", zlib1g: "1" }),
    ),
  ).toEqual([
    { name: "dash", before: "0.5", after: undefined },
    { name: "libc6", before: "2.36-9", after: "2.36-10" },
    { name: "zlib1g", before: undefined, after: "1" },
  ]);
});
