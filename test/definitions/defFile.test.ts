import { describe, expect, it } from "vitest";
import { readDefFile } from "../../src/definitions/defFile.ts";

describe("readDefFile", () => {
  it.each([
    ["Bootstrap: docker\nFrom: bluebrain/nexus-storage:1.5\n", "1.5"],
    ["bootstrap:docker\nfrom: registry.example.org:5000/a/b\n", "latest"],
    ["Bootstrap: docker\nFrom: a/b:2@sha256:00\n", "2"],
    ["Bootstrap: localimage\nFrom: other.sif\n", undefined],
  ])("knows the version of %j", (text, version) => {
    const { errors, ...read } = readDefFile(text, "x.def");
    expect(errors).toEqual([]);
    expect(read.version).toBe(version);
  });

  it("takes the last of several stages", () => {
    expect(
      readDefFile("Bootstrap: docker\nFrom: a:1\nStage: x\n%post\n\nBootstrap: docker\nFrom: b:2\n", "f")
        .version,
    ).toBe("2");
  });

  it("says what is missing", () => {
    expect(readDefFile("From: a\n", "x.def").errors[0]).toMatchObject({
      code: "DEFINITION_INVALID",
      message: "the definition does not begin with `Bootstrap:`",
      place: { file: "x.def", line: 1 },
    });
    expect(readDefFile("Bootstrap: docker\n", "f").errors[0]?.message).toMatch(/no `From:`/);
    expect(readDefFile("Bootstrap: docker\nFrom:\n", "f").errors[0]).toMatchObject({ place: { line: 2 } });
  });
});
