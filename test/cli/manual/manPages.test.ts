import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { manPage } from "../../../src/cli/manual/manPage.ts";
import { manPages } from "../../../src/cli/manual/manPages.ts";
import { verbs } from "../../../src/cli/verbs.ts";

const facts = { version: "1.2.3", date: "2026-01-31" };

describe("the manual", () => {
  it("has a page for the program and one for each verb, which package.json lists", () => {
    const pages = [...manPages("2026-01-31").keys()];
    expect(pages).toEqual(["spacktainers.1", ...Object.keys(verbs).map((name) => `spacktainers-${name}.1`)]);
    const { man } = JSON.parse(
      readFileSync(resolve(import.meta.dirname, "../../../package.json"), "utf8"),
    ) as {
      readonly man: readonly string[];
    };
    // Otherwise: npm run man
    expect(man).toEqual(pages.map((page) => `dist/man/${page}`).sort());
  });

  it("says what --help says", () => {
    const page = manPages("").get("spacktainers-build.1") ?? "";
    expect(page).toContain(".SH NAME\nspacktainers\\-build \\- assemble images");
    expect(page).toContain("\\fB\\-\\-keep\\-metadata\\fR\nkeep the packages\\(aq .spack folders");
    expect(page).toContain('.SH "EXAMPLES"\n.nf\n$ spacktainers build hello\\-mpi\n');
    expect(manPages("").get("spacktainers-sif.1")).toContain('.SH "spacktainers sif verify"');
  });

  it("takes no text for a command of roff", () => {
    const page = manPage(
      {
        path: ["x"],
        summary: "a \\ b",
        description: ".SH not a section\n'quoted' `code` ~home ^up",
        usage: "[options]",
        arguments: [],
        options: [
          {
            flags: "-o, --out <a-b>",
            names: ["--out", "-o"],
            value: "a-b",
            choices: undefined,
            description: ".x",
          },
        ],
        epilogue: "Examples:\n  .start\n\n  $ x",
        commands: [],
      },
      [],
      facts,
    );
    expect(page).toContain("a \\e b");
    expect(page).toContain("\\&.SH not a section\n\\(aqquoted\\(aq \\(gacode\\(ga \\(tihome \\(haup");
    expect(page).toContain("\\fB\\-o\\fR, \\fB\\-\\-out\\fR <a\\-b>\n\\&.x");
    expect(page).toContain(".nf\n\\&.start\n.sp\n$ x\n.fi");
    expect(
      page.startsWith('.TH "SPACKTAINERS\\-X" 1 "2026-01-31" "spacktainers 1.2.3" "Spacktainers manual"'),
    ).toBe(true);
  });
});
