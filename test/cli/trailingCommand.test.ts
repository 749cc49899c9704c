import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { addGlobalOptions } from "../../src/cli/options.ts";
import { takesTrailingCommand } from "../../src/cli/trailingCommand.ts";
import { addContainerOptions } from "../../src/cli/verbs/run.ts";

/** What `run` (the command may be left out) or `exec` (it may not) would get. */
async function read(verb: "run" | "exec", ...argv: readonly string[]) {
  let printed = "";
  const program = addGlobalOptions(new Command("spacktainers").enablePositionalOptions().exitOverride());
  const command = new Command(verb)
    .argument("<image>")
    .argument(verb === "run" ? "[command...]" : "<command...>");
  addGlobalOptions(takesTrailingCommand(addContainerOptions(command)))
    .exitOverride()
    .configureOutput({ writeOut: (text) => (printed += text), writeErr: () => {} })
    .action(() => {});
  program.addCommand(command);
  await program.parseAsync([verb, ...argv], { from: "user" }).catch((error: { code: string }) => {
    if (!error.code.startsWith("commander.help")) throw error;
  });
  return { args: command.args, options: command.opts(), printed };
}

describe("a command line behind an image", () => {
  it.each([
    [["img"], []],
    [
      ["img", "prog", "-x", "--with", "y"],
      ["prog", "-x", "--with", "y"],
    ],
    [
      ["img", "--", "prog", "-x", "--", "y"],
      ["prog", "-x", "--", "y"],
    ],
    [
      ["img", "git", "log", "--", "file"],
      ["git", "log", "--", "file"],
    ],
    [
      ["--", "img", "prog", "--json"],
      ["prog", "--json"],
    ],
    [["img", "--", "-x"], ["-x"]],
    [["img", "-"], ["-"]],
    [["img", "--"], []],
  ])("is what stands behind our own options: %j", async (argv, command) => {
    const { args, options } = await read("run", ...argv);
    expect(args).toEqual(["img", ...command]);
    expect(options).toEqual({ with: "auto", network: "host", mpi: "auto" });
  });

  it.each([
    [["--with", "podman", "img", "--", "prog"]],
    [["img", "--with", "podman", "--", "prog"]],
    [["img", "--with=podman", "prog"]],
    [["--with", "sarus", "img", "--with", "podman", "prog"]],
  ])("comes after them, wherever they stand: %j", async (argv) => {
    for (const verb of ["run", "exec"] as const) {
      const { args, options } = await read(verb, ...argv);
      expect(args).toEqual(["img", "prog"]);
      expect(options).toMatchObject({ with: "podman" });
    }
  });

  it("keeps those before the image and those behind it", async () => {
    const argv = [
      "-e",
      "A=1",
      "img",
      "-e",
      "B=2",
      "--no-color",
      "--json",
      "-b",
      "/x",
      "--",
      "prog",
      "-e",
      "C=3",
    ];
    const { args, options } = await read("run", ...argv);
    expect(args).toEqual(["img", "prog", "-e", "C=3"]);
    expect(options).toMatchObject({ env: ["A=1", "B=2"], color: false, json: true, bind: ["/x"] });
  });

  it("does not begin with an option that we do not know", async () => {
    await expect(read("run", "img", "-x", "--", "prog")).rejects.toMatchObject({
      code: "USAGE",
      message: "unknown option '-x'",
      hint: expect.stringContaining("spacktainers run img -- PROGRAM -x"),
    });
    await expect(read("exec", "img", "--wiht", "podman", "--", "prog")).rejects.toMatchObject({
      code: "USAGE",
      hint: "did you mean `--with`?",
    });
    await expect(read("run", "img", "--with", "nothing", "--", "prog")).rejects.toThrow("Allowed choices");
  });

  it("may be missing where it may be", async () => {
    await expect(read("exec", "img", "--json")).rejects.toMatchObject({
      code: "USAGE",
      message: "missing required argument 'command'",
    });
    await expect(read("exec", "img", "--with", "podman", "--")).rejects.toMatchObject({ code: "USAGE" });
    expect((await read("run", "img", "--json")).args).toEqual(["img"]);
  });

  it("is no place to look for help in", async () => {
    expect((await read("run", "img", "--help")).printed).toContain("Usage: spacktainers run");
    expect(await read("run", "img", "prog", "--help")).toMatchObject({
      args: ["img", "prog", "--help"],
      printed: "",
    });
  });
});
