import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defContents } from "../../src/definitions/defContents.ts";
import { type DefinitionFile, readDefFile } from "../../src/definitions/defFile.ts";

const contentsOf = (definition: DefinitionFile) => {
  const stage = definition.stages.at(-1);
  if (stage === undefined) throw new Error("no stage");
  return defContents(stage);
};

describe("readDefFile", () => {
  it.each([
    ["Bootstrap: docker\nFrom: bluebrain/nexus-storage:1.5\n", "1.5"],
    ["bootstrap:docker\nfrom: registry.example.org:5000/a/b\n", "latest"],
    ["Bootstrap: docker\nFrom: a/b:2@sha256:00\n", "2"],
    ["Bootstrap: localimage\nFrom: other.sif\n", undefined],
    ["Bootstrap: oci-archive\nFrom: some.tar:3\n", undefined],
    ["# note\nBootstrap: docker # why\nFrom: a:{{ V }}\n%arguments\n V=7.1\n", "7.1"],
  ])("knows the version of %j", (text, version) => {
    const { errors, ...read } = readDefFile(text, "x.def");
    expect(errors).toEqual([]);
    expect(read.version).toBe(version);
  });

  it("takes the last of several stages", () => {
    const text =
      "Bootstrap: docker\nFrom: a:1\nStage: x\n%post\n true\n\nBootstrap: docker\nFrom: b:2\n%files from x\n /a /b\n";
    const definition = readDefFile(text, "f");
    expect(definition).toMatchObject({ version: "2", errors: [] });
    expect(definition.stages.map(({ from }) => from)).toEqual(["a:1", "b:2"]);
    expect(contentsOf(definition).needsApptainer).toMatchObject([
      { what: "%files from x", place: { line: 9 } },
    ]);
  });

  it("says what is missing", () => {
    expect(readDefFile("From: a\n", "x.def").errors[0]).toMatchObject({
      code: "DEFINITION_INVALID",
      message: "the definition does not begin with `Bootstrap:`",
      place: { file: "x.def", line: 1 },
    });
    expect(readDefFile("", "x.def").errors).toHaveLength(1);
    expect(readDefFile("Bootstrap: docker\n", "f").errors[0]?.message).toMatch(/no `From:`/);
    expect(readDefFile("Bootstrap: docker\nFrom:\n", "f").errors[0]).toMatchObject({ place: { line: 2 } });
  });

  it("reports every problem with line and column", () => {
    const text = [
      "Bootstrap: scratch",
      "Fron: x",
      "what is this",
      "Stage: a",
      "Stage: b",
      "%enviroment",
      "%apprun",
      "%apprun a/b",
      "%help",
      "  %indented",
      "{{ NO }}",
      "%files",
      "  a b c",
      "%",
    ].join("\n");
    const definition = readDefFile(text, "f");
    const problems = [...definition.errors, ...contentsOf(definition).errors].map(
      ({ message, place, hint }) =>
        `${place.line}:${place.column} ${message}${hint === undefined ? "" : ` | ${hint}`}`,
    );
    expect(problems).toEqual([
      "11:1 the argument `NO` has no value | give it one in %arguments: NO=value",
      expect.stringMatching(/^2:1 `Fron` is not a keyword of a header \| did you mean `from`/),
      expect.stringMatching(/^3:1 this is neither a `Keyword: value` line nor a section/),
      "5:1 `Stage:` is there twice",
      expect.stringMatching(/^6:1 `%enviroment` is not a section \| did you mean `environment`/),
      expect.stringMatching(/^7:1 `%apprun` must name one app/),
      expect.stringMatching(/^8:1 `%apprun` must name one app/),
      expect.stringMatching(/^10:3 an indented % begins a section/),
      expect.stringMatching(/^10:3 `%indented` is not a section/),
      "14:1 `%` is not a section",
      expect.stringMatching(/^13:3 a line of %files is a source and where it goes/),
    ]);
  });

  it("never fails, whatever the text", () => {
    const line = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.constantFrom(
        "Bootstrap: docker",
        "From: a:1",
        "%post",
        "%files",
        "%labels",
        "%appfiles x",
        "{{ A }}",
        " a b",
        "%arguments",
        "A=1",
      ),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const definition = readDefFile(lines.join("\n"), "f");
        for (const stage of definition.stages) defContents(stage);
      }),
    );
  });
});

describe("defContents", () => {
  it("understands sections, repeated ones and those with arguments", () => {
    const contents = contentsOf(
      readDefFile(
        `Bootstrap: scratch
%LABELS
 Author me@x
 Version v1 with words # all of it
 # no label
 Empty
%labels
 Author you
%runscript -c /bin/bash
 first
%runscript
 second

%startscript
#!/usr/bin/python3 -u
print(1)
%environment
export A=1

%help
  indented
%test
 true
%files
 a.txt
 "b c.txt" "/opt/d e"
 # no file
 /abs /to/
`,
        "f",
      ),
    );
    expect(contents).toMatchObject({
      runscript: { interpreter: "/bin/sh -c /bin/bash", body: " first\n second" },
      startscript: { interpreter: "/usr/bin/python3 -u", body: "print(1)" },
      environment: { body: "export A=1" },
      help: { body: "  indented" },
      test: { interpreter: "/bin/sh", body: " true" },
      needsApptainer: [],
      errors: [],
    });
    expect([...contents.labels]).toEqual([
      ["Author", "you"],
      ["Version", "v1 with words # all of it"],
      ["Empty", ""],
    ]);
    expect(contents.files.map(({ source, target, place }) => [source, target, place.line])).toEqual([
      ["a.txt", undefined, 25],
      ["b c.txt", "/opt/d e", 26],
      ["/abs", "/to/", 28],
    ]);
  });

  it("collects apps", () => {
    const contents = contentsOf(
      readDefFile(
        "Bootstrap: scratch\n%apprun one\n run\n%appenv one\nA=1\n%applabels two\n L x\n%appfiles one\n a b\n%apphelp one\n h\n%apptest two\n t\n%appstart two\n s\n",
        "f",
      ),
    );
    expect(contents.apps).toMatchObject([
      {
        name: "one",
        runscript: { body: " run" },
        environment: { body: "A=1" },
        help: { body: " h" },
        files: [{ source: "a" }],
      },
      { name: "two", test: { body: " t" }, startscript: { body: " s" } },
    ]);
    expect([...(contents.apps[1]?.labels ?? [])]).toEqual([["L", "x"]]);
  });

  it("says which sections run commands", () => {
    const contents = contentsOf(
      readDefFile(
        "Bootstrap: scratch\n%post\n # nothing\n\n%pre\n x\n%setup\n y\n%appinstall app\n z\n",
        "f",
      ),
    );
    expect(contents.needsApptainer.map(({ what, place }) => `${what} ${place.line}`)).toEqual([
      "%pre 5",
      "%setup 7",
      "%appinstall app 9",
    ]);
  });
});
