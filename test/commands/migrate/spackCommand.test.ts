import { describe, expect, it } from "vitest";
import { shellCommands } from "../../../src/commands/migrate/shellCommands.ts";
import { spackCommandLine } from "../../../src/commands/migrate/spackCommand.ts";

const read = (text: string) => {
  const [command] = shellCommands(text);
  const line = command === undefined ? undefined : spackCommandLine(command);
  return line === undefined ? undefined : [line.verb, line.environment, line.args.map((word) => word.text)];
};

describe("spackCommandLine", () => {
  it("leaves out options, with their values", () => {
    expect(read("spack install -j 8 --fail-fast --no-check-signature hdf5 +mpi")).toEqual([
      "install",
      undefined,
      ["hdf5", "+mpi"],
    ]);
    expect(read("/opt/spack/bin/spack -e . -c config:x:y install -f")).toEqual(["install", ".", []]);
    expect(read("TMPDIR=/x spack --env-dir=/env concretize -f")).toEqual(["concretize", "/env", []]);
    expect(read("spack env activate -d /env")).toEqual(["env", undefined, ["activate", "/env"]]);
  });

  it("leaves other programs alone", () => {
    expect(read("pip install spack")).toBeUndefined();
    expect(read("spackle install x")).toBeUndefined();
    expect(read("spack --version")).toBeUndefined();
  });
});
