import { describe, expect, it } from "vitest";
import { planText, planTotalText } from "../../src/cli/planText.ts";
import { parseTag } from "../../src/registry/reference.ts";
import { digestOf } from "../../src/util/digest.ts";
import { oneLayer as layer, onePackage as one, onePlan as plan } from "./planReports.ts";

describe("the text of a plan", () => {
  it("says what a push would do, a registry a line", () => {
    const push = {
      repository: "ghcr.io/org/tools",
      tags: ["1.2", "latest"].map((tag) => parseTag(tag)),
      upToDate: false,
      error: undefined,
      layers: { there: 4, mounted: 2, sent: 3 },
      bytes: 5_000_000,
      unknown: 1,
    };
    const text = planText(
      plan([], {
        upToDate: true,
        push: [
          push,
          { ...push, upToDate: true },
          { ...push, error: "no" },
          { ...push, layers: { there: 8, mounted: 0, sent: 1 }, bytes: 0, unknown: 0 },
        ],
      }),
    );
    expect(text.split("\n").slice(1)).toEqual([
      "  push  ghcr.io/org/tools:1.2,latest  4 there, 2 in another repository of it, 3 layers to send (5.0 MB, 1 of a size that is not known yet)",
      "  push  ghcr.io/org/tools:1.2,latest  up to date",
      "  push  ghcr.io/org/tools:1.2,latest  cannot be reached",
      "  push  ghcr.io/org/tools:1.2,latest  8 there, 1 layer to send",
    ]);
  });

  it("says of every layer to make why, and leaves the others to the sum", () => {
    const text = planText(
      plan(
        [
          layer([one("here", { whereabouts: "local", change: { kind: "same" } })], {
            whereabouts: "local",
            size: 5_000_000,
          }),
          layer([one("there", { change: { kind: "same" } })], { whereabouts: "registry", size: 1 }),
          layer([one("bumped", { change: { kind: "version", was: "1.1" } })]),
          layer([one("rebuilt", { change: { kind: "rebuilt", was: "abcdefghij" } })]),
          layer([
            one("kept", { whereabouts: "local", change: { kind: "same" } }),
            one("added", {
              change: { kind: "added" },
              archive: { digest: digestOf("a"), size: undefined, local: false },
            }),
          ]),
        ],
        {
          removed: [{ name: "gone", version: "0.9", hash: "x" }],
          download: { archives: 3, bytes: 2_000_000, unknown: 1 },
          install: { packages: 3, bytes: 2_000_000 },
        },
      ),
    );
    expect(text.split("\n")).toEqual([
      "tools 1.2 amd64  6 packages in 5 layers on debian:bookworm (26 packages)",
      "  base      here: 1 layer, 40.0 MB",
      "  layers    1 here (5.0 MB); 4 to make (1 of them published: push refers to these), and one with the view and the environment; 2 packages share 1 of them",
      "  download  3 archives, 2.0 MB, 1 of unknown size",
      "  install   3 packages, 2.0 MB of archives",
      "     TO MAKE             ARCHIVES  WHY",
      "  +  there@1.2           1.0 MB    for a build: published, not here",
      "  +  bumped@1.2          1.0 MB    was 1.1",
      "  +  rebuilt@1.2         1.0 MB    another build of it (was /abcdefg, now /rebuilt)",
      "  +  kept@1.2 added@1.2  -         added: new in the image",
      "  - gone@0.9",
    ]);
  });

  it("says what is missing where there is no image to compare with, and what the base needs", () => {
    const packages = ["a", "b", "c", "d", "e", "f"].map((name) => one(name));
    const text = planText(
      plan([layer(packages), layer([one("g")])], {
        base: {
          name: "debian:bookworm (26 packages)",
          whereabouts: "to make",
          layers: 1,
          size: undefined,
          download: 14_000_000,
        },
      }),
    );
    expect(text).toContain("base      to make, at most 14.0 MB of OS packages to download");
    expect(text).toMatch(/a@1\.2 b@1\.2 c@1\.2 d@1\.2 and 2 more +6\.0 MB +6 of 6 packages not made/);
    expect(text).toMatch(/g@1\.2 +1\.0 MB +not made on this machine yet/);
  });

  it("says nothing more of what is up to date, and counts an archive once for all containers", () => {
    const shared = layer([one("zlib")]);
    const first = plan([shared]);
    const second = plan([shared, layer([one("curl")])], { name: "other" });
    const current = plan([shared], { name: "current", upToDate: true });
    expect(planText(current)).toMatch(/^current .*\(up to date\)$/);
    expect(planTotalText([first, second])).toBe(
      "2 containers, 0 up to date: 2 archives to download (2.0 MB), 2 packages to install",
    );
  });
});
