import { describe, expect, it } from "vitest";
import { chooseFromCaches } from "../../src/concretize/chooseFromCaches.ts";
import { sourceOf } from "../../src/concretize/packageSource.ts";
import { readManifest } from "../../src/environment/manifest.ts";
import { makeSpec } from "./specs.ts";

describe("very many builds of one package", () => {
  // Work that grows with the square of the number would take minutes: this takes seconds.
  it("are chosen from in time that grows with their number", { timeout: 60_000 }, () => {
    const count = 20_000;
    const all = Array.from({ length: count }, (_, index) => makeSpec(`tool@1.${index}`));
    for (const spec of ["tool", "tool@:1.77"]) {
      const { environment } = readManifest(`spack:\n  specs: ["${spec}"]\n`, "spack.yaml", {
        dialect: "0.x",
      });
      if (environment === undefined) throw new Error("the manifest is not read");
      const { roots, graph } = chooseFromCaches(environment, sourceOf(all), { target: "x86_64_v3" });
      expect(roots.map(({ hash }) => graph.get(hash)?.version)).toEqual([
        spec === "tool" ? `1.${count - 1}` : "1.77",
      ]);
    }
  });

  it("are read once, however many roots ask for some of them", () => {
    const count = 1000;
    const source = sourceOf(Array.from({ length: count }, (_, index) => makeSpec(`tool@1.${index}`)));
    const wanted = [990, 500, 1].map((version) => `tool@=1.${version}`);
    const { environment } = readManifest(
      `spack:\n  specs: ${JSON.stringify(wanted)}\n  concretizer: {unify: false}\n`,
      "spack.yaml",
      { dialect: "0.x" },
    );
    if (environment === undefined) throw new Error("the manifest is not read");
    let reads = 0;
    const counted = {
      ...source,
      spec: (hash: Parameters<typeof source.spec>[0]) => {
        reads++;
        return source.spec(hash);
      },
    };
    const { roots } = chooseFromCaches(environment, counted, { target: "x86_64_v3" });
    expect(roots.map(({ request }) => request)).toEqual(wanted);
    // Once each, and more often only those that are chosen.
    expect(reads).toBeLessThan(count + 200);
  });
});
