import { describe, expect, it } from "vitest";
import { planBars } from "../../src/cli/planBars.ts";
import { digestOf } from "../../src/util/digest.ts";
import { oneLayer as layer, onePackage as one, onePlan as plan } from "./planReports.ts";

const canvas = { columns: 61, color: false };
const archive = (size: number | undefined) => ({ digest: digestOf("a"), size, local: false });

describe("the bars of a plan", () => {
  it("show the base and layers, the largest first, and the packages that share one", () => {
    const drawn = planBars(
      plan([
        layer([one("small", { whereabouts: "local", size: 1_000_000 })], { size: 1_000_000 }),
        layer([
          one("made", { whereabouts: "local", size: 2_000_000, archive: archive(9_000_000) }),
          one("wanted", { archive: archive(6_000_000) }),
        ]),
        layer([one("unknown", { archive: archive(undefined) })]),
      ]),
      canvas,
    );
    expect(drawn?.split("\n")).toEqual([
      "49.0 MB in all  █ compressed  ░ archives, not installed yet",
      "1 of a size that is not known yet",
      "base                   40.0 MB  82 %  ██████████████████████",
      "2 packages in a layer   8.0 MB  16 %  ░░░░",
      "  wanted@1.2            6.0 MB  12 %  ░░░",
      "  made@1.2              2.0 MB   4 %  █",
      "small@1.2               1.0 MB   2 %  █",
    ]);
  });

  it("sum up what is beyond 16 layers and 8 packages of one", () => {
    const many = Array.from({ length: 20 }, (_, at) => one(`p${String(at).padStart(2, "0")}`));
    const lines =
      planBars(plan([...many.map((each) => layer([each])), layer(many)]), canvas)?.split("\n") ?? [];
    expect(lines.filter((line) => /^p\d\d@/.test(line))).toHaveLength(15);
    expect(lines.filter((line) => /^ {2}p\d\d@/.test(line))).toHaveLength(8);
    expect(lines).toContainEqual(expect.stringMatching(/^ {2}12 more +12\.0 MB/));
    expect(lines.at(-1)).toMatch(/^5 more layers +5\.0 MB/);
  });

  it("are not there where no size is known", () => {
    const unknown = plan([layer([one("a", { archive: archive(undefined) })])], {
      base: { name: "nothing", whereabouts: "local", layers: 0, size: undefined, download: 0 },
    });
    expect(planBars(unknown, canvas)).toBeUndefined();
  });
});
