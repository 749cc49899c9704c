import { expect, it } from "vitest";
import { generationOf } from "../../src/spec/generation.ts";

it("is that of the Spack that made the package, whoever wrote its spec file last", () => {
  const annotations = (originalSpecfileVersion: number) => ({ originalSpecfileVersion, compiler: undefined });
  for (const [specfileVersion, original, generation] of [
    [3, undefined, "0.x"],
    [4, undefined, "0.x"],
    [5, undefined, "1.x"],
    [5, 5, "1.x"],
    [5, 4, "0.x"],
    [6, 3, "0.x"],
    [6, 6, "1.x"],
  ] as const)
    expect(
      generationOf({
        specfileVersion,
        annotations: original === undefined ? undefined : annotations(original),
      }),
    ).toBe(generation);
});
