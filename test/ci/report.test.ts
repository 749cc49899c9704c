import { describe, expect, it } from "vitest";
import { codeQuality, harmlessLine, workflowCommands } from "../../src/ci/annotations.ts";
import { pipelineReport } from "../../src/ci/report.ts";

const build = {
  type: "result",
  name: "sim",
  arch: "amd64",
  version: "1.0",
  digest: `sha256:${"a".repeat(64)}`,
  size: 2000,
  layers: 3,
  packages: [{}, {}],
  reused: 1,
  compiled: { packages: ["zlib@1/abcdefg"], seconds: 1 },
  upToDate: false,
  milliseconds: 1500,
  failed: false,
};

describe("pipelineReport", () => {
  it("has a row for what was built, with size, time and digest", () => {
    const { summary, failed, lines } = pipelineReport("Build", [build], "/repo");
    expect(failed).toBe(false);
    expect(summary).toContain("### ✅ Build");
    expect(summary).toContain(
      "| `amd64/sim` | 1.0 | 2 | 2.0 kB in 3 layers | 1 built, 1 reused | 1.5 s | `sha256:aaaaaaaaaaaa` |",
    );
    expect(lines).toEqual([
      "amd64/sim  1.0  2  2.0 kB in 3 layers  1 built, 1 reused  1.5 s  sha256:aaaaaaaaaaaa",
    ]);
  });

  it("tells of what failed once, at its line, with the lines of the log", () => {
    const error = {
      code: "SPEC_SYNTAX",
      message: "a | b",
      file: "/repo/c/spack.yaml",
      line: 3,
      column: 5,
      hint: "so",
    };
    const { summary, annotations, failed } = pipelineReport(
      "Build",
      [
        {
          type: "build-failure",
          package: "zlib@1/abcdefg",
          phase: "build",
          reason: undefined,
          log: "/x",
          errors: [{ line: 9, text: "error", context: ["before", "```error"] }],
          blocked: ["app@2/x"],
        },
        { type: "result", name: "sim", arch: "amd64", failed: true, errors: [error] },
        { type: "error", errors: [error] },
      ],
      "/repo",
    );
    expect(failed).toBe(true);
    expect(annotations).toEqual([{ level: "error", ...error, file: "c/spack.yaml" }]);
    expect(summary).toContain("### ❌ Build");
    expect(summary).toContain("- `c/spack.yaml:3:5` SPEC_SYNTAX a | b  \n  so");
    expect(summary).toContain(
      "**zlib@1/abcdefg** failed in its phase build\n\n````\nline 9\n  before\n  ```error\n````\n\nNot built because of it: app@2/x",
    );
  });

  it("says that nothing changed", () => {
    const plan = {
      type: "result",
      arch: "amd64",
      since: "0123456789abcdef",
      bases: [],
      containers: [],
      unchanged: ["sim"],
      removed: [],
      stages: [],
      locks: [],
    };
    expect(pipelineReport("Plan", [plan], "/repo").lines).toEqual([
      "Nothing changed since 0123456789ab for amd64: nothing to do.",
    ]);
  });

  it("shows texts of strangers as texts", () => {
    const { summary } = pipelineReport(
      "<b> @everyone",
      [{ type: "warning", code: "NOTICE", message: "[x](http://y) <img>" }],
      "/repo",
    );
    expect(summary).not.toMatch(/<b>|(?<!\\)\[x\]|<img>|@everyone/);
  });
});

describe("annotations", () => {
  const one = {
    level: "error",
    code: "A",
    message: "50%\nmore",
    hint: undefined,
    file: "a,b:c.yaml",
    line: 2,
    column: 3,
  } as const;

  it("are escaped for GitHub", () => {
    expect(workflowCommands([one])).toEqual([
      "::error file=a%2Cb%3Ac.yaml,line=2,col=3,title=A::50%25%0Amore",
    ]);
    expect(
      workflowCommands([
        { ...one, level: "notice" },
        { ...one, file: undefined },
      ]).map((text) => text.split(" ")[0]),
    ).toEqual(["::error", "::notice"]);
    expect(workflowCommands(Array.from({ length: 50 }, () => one))).toHaveLength(10);
  });

  it("are findings for GitLab, with fingerprints that stay", () => {
    const [finding] = codeQuality([one]);
    expect(finding).toMatchObject({
      check_name: "A",
      severity: "major",
      location: { path: "a,b:c.yaml", lines: { begin: 2 } },
    });
    expect(codeQuality([one])).toEqual([finding]);
    expect(codeQuality([{ ...one, file: undefined }])).toEqual([]);
  });

  it("cannot be made by what a build says", () => {
    expect(harmlessLine("  ::error::x")).toBe("|   ::error::x");
    expect(harmlessLine("##[group]")).toBe("| ##[group]");
    expect(harmlessLine("a ::error::x")).toBe("a ::error::x");
  });
});
