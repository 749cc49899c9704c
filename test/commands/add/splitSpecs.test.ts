import { describe, expect, it } from "vitest";
import { splitSpecs } from "../../../src/commands/add/splitSpecs.ts";
import { SpacktainersError } from "../../../src/util/errors.ts";

describe("splitSpecs", () => {
  it("takes words as Spack does", () => {
    expect(splitSpecs(["hdf5", "+mpi", "^mpich@4:", "zlib"], "1.x")).toEqual(["hdf5 +mpi ^mpich@4:", "zlib"]);
    expect(splitSpecs(["hdf5+mpi zlib@1.2:"], "1.x")).toEqual(["hdf5+mpi", "zlib@1.2:"]);
    expect(splitSpecs([" hdf5 %gcc@12 "], "0.x")).toEqual(["hdf5 %gcc@12"]);
    expect(splitSpecs(["/abcdef"], "1.x")).toEqual(["/abcdef"]);
  });

  it("reads what only the older language has, when nothing is configured", () => {
    expect(splitSpecs(["hdf5 foo=a,b"], undefined)).toEqual(["hdf5 foo=a,b"]);
  });

  it("refuses what names no package, and says where a spec is wrong", () => {
    for (const words of [["+mpi"], [""], ["zlib", "", "+a b"]])
      expect(() => splitSpecs(words, "1.x")).toThrow(SpacktainersError);
    try {
      splitSpecs(["zlib", "hdf5@"], "1.x");
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: "SPEC_SYNTAX", place: { spec: "hdf5@" } });
      expect((error as SpacktainersError).place.column).toBeGreaterThan(4);
    }
  });
});
