import { describe, expect, it } from "vitest";
import { type CommandModel, commandModel } from "../../../src/cli/commandModel.ts";
import { completionTables } from "../../../src/cli/completion/completionTables.ts";
import { argumentValueKind, optionValueKind } from "../../../src/cli/completion/valueKind.ts";
import { makeProgram } from "../../../src/cli/program.ts";
import { verbs } from "../../../src/cli/verbs.ts";

const program = commandModel(makeProgram(Object.values(verbs), { status: 0 }).program);
const everyCommand = (command: CommandModel): readonly CommandModel[] => [
  command,
  ...command.commands.flatMap(everyCommand),
];
const option = (path: string, name: string) =>
  everyCommand(program)
    .find((command) => command.path.join(" ") === path)
    ?.options.find(({ names }) => names.includes(name));

describe("what a value is", () => {
  it("is told by choices, by the option, or by the name of its value", () => {
    const kind = (path: string, name: string) => {
      const found = option(path, name);
      return found === undefined ? "no such option" : optionValueKind(found);
    };
    expect(kind("build", "--arch")).toEqual({ kind: "words", words: ["amd64", "arm64"] });
    expect(kind("build", "--cache")).toEqual({ kind: "caches" });
    expect(kind("job", "--site")).toEqual({ kind: "sites" });
    expect(kind("build", "--trust")).toEqual({ kind: "files" });
    expect(kind("build", "-C")).toEqual({ kind: "folders" });
    expect(kind("build", "--jobs")).toEqual({ kind: "none" });
    expect(kind("build", "--force")).toBeUndefined();
  });

  it("is a container for the arguments that name images and definitions", () => {
    const first = (name: string) =>
      program.commands
        .find(({ path }) => path[0] === name)
        ?.arguments.map(argumentValueKind)
        .at(0);
    for (const name of ["list", "build", "run", "diff", "explain"])
      expect(first(name)).toEqual({ kind: "containers" });
  });
});

describe("the tables of a program", () => {
  const tables = completionTables(program);
  it("have every command and every option", () => {
    const all = everyCommand(program);
    expect(tables.options.map(({ path }) => path)).toEqual(all.map(({ path }) => path.join(" ")));
    expect(tables.commands.find(({ path }) => path === "")?.proposals.map(({ word }) => word)).toEqual(
      Object.keys(verbs),
    );
    for (const { proposals } of tables.options) expect(proposals.map(({ word }) => word)).toContain("--json");
  });

  it("have an option that means the same everywhere once, and patterns after all others", () => {
    const rows = tables.values.flatMap(({ keys }) => keys);
    expect(rows).toContain("* --cache");
    expect(rows).not.toContain("build --cache");
    const positions = tables.arguments.flatMap(({ keys }) => keys);
    expect(positions.indexOf("run 0")).toBeGreaterThanOrEqual(0);
    expect(positions.indexOf("run 0")).toBeLessThan(positions.indexOf("run *"));
  });

  it("do not take an option for one with a value where it takes none", () => {
    const rows = tables.values.flatMap(({ keys }) => keys);
    // `--shell` takes a package in `build` alone; a hypothetical flag of that name elsewhere would not be taken for it.
    for (const key of rows.filter((each) => each.startsWith("* "))) {
      const name = key.slice(2);
      for (const { options } of everyCommand(program))
        for (const each of options) if (each.names.includes(name)) expect(each.value).toBeDefined();
    }
  });
});
