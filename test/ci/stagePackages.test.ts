import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stagePackages, type WantedPackage } from "../../src/ci/stagePackages.ts";

const wanted = (hash: string, ...after: readonly string[]): WantedPackage => ({
  hash,
  label: `${hash}@1/${hash}`,
  container: "sim",
  after,
});

const shape = (packages: readonly WantedPackage[], most: number): readonly (readonly string[])[] =>
  stagePackages(packages, most).map((jobs) =>
    jobs.map((job) => job.packages.map(({ hash }) => hash).join(" ")),
  );

describe("stagePackages", () => {
  it("makes a chain one job, since no second runner would help", () => {
    expect(shape([wanted("a"), wanted("b", "a"), wanted("c", "b")], 4)).toEqual([["a b c"]]);
  });

  it("builds side by side what does not need one another", () => {
    expect(shape([wanted("a"), wanted("b"), wanted("c", "b")], 4)).toEqual([["a", "b c"]]);
    expect(shape([wanted("a"), wanted("b"), wanted("c"), wanted("d", "a", "b", "c")], 4)).toEqual([
      ["a", "b", "c"],
      ["d"],
    ]);
  });

  it("keeps to the number of stages", () => {
    const packages = [
      wanted("a"),
      wanted("b"),
      wanted("c", "a", "b"),
      wanted("d", "c"),
      wanted("e", "c"),
      wanted("f", "d", "e"),
    ];
    expect(stagePackages(packages, 4)).toHaveLength(4);
    expect(stagePackages(packages, 1)).toHaveLength(1);
    expect(shape(packages, 1)).toEqual([["a b c d e f"]]);
  });

  it("makes no more jobs than a matrix may have", () => {
    const packages = Array.from({ length: 700 }, (_, index) => wanted(`p${index}`));
    const [jobs = []] = stagePackages(packages, 3);
    expect(jobs).toHaveLength(256);
    expect(jobs.flatMap((job) => job.packages)).toHaveLength(700);
  });

  it("puts every package into one job, behind all that it needs, whatever the graph", () => {
    const graph = fc
      .array(fc.array(fc.nat(30), { maxLength: 4 }), { maxLength: 30 })
      .map((needs) =>
        needs.map((below, index) =>
          wanted(`p${index}`, ...new Set(below.filter((one) => one < index).map((one) => `p${one}`))),
        ),
      );
    fc.assert(
      fc.property(graph, fc.integer({ min: 1, max: 6 }), (packages, most) => {
        const stages = stagePackages(packages, most);
        expect(stages.length).toBeLessThanOrEqual(most);
        const jobOf = new Map<
          string,
          { readonly stage: number; readonly job: string; readonly at: number }
        >();
        for (const [stage, jobs] of stages.entries()) {
          expect(jobs.length).toBeGreaterThan(0);
          for (const job of jobs)
            for (const [at, { hash }] of job.packages.entries()) {
              expect(jobOf.has(hash)).toBe(false);
              jobOf.set(hash, { stage, job: job.id, at });
            }
        }
        expect(jobOf.size).toBe(packages.length);
        for (const { hash, after } of packages)
          for (const need of after) {
            const [own, other] = [jobOf.get(hash), jobOf.get(need)];
            if (own === undefined || other === undefined) throw new Error(`${hash} or ${need} is nowhere`);
            if (own.job === other.job) expect(other.at).toBeLessThan(own.at);
            else expect(other.stage).toBeLessThan(own.stage);
          }
        expect(stagePackages(packages, most)).toEqual(stages);
      }),
    );
  });
});
