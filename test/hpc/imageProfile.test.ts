import { existsSync, readFileSync, realpathSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readDynamicSymbols } from "../../src/elf/dynamicSymbols.ts";
import { readElfInfo } from "../../src/elf/readElf.ts";
import { choosePmi, mainMpi, servedBy } from "../../src/hpc/choosePmi.ts";
import { describeMpiLibrary, mpiLibraryPattern, pmiOfOpenMpiComponent } from "../../src/hpc/mpiLibrary.ts";
import { parseVersionBounds, withinBounds } from "../../src/hpc/versionBounds.ts";
import { buildElf } from "../support/elfBuilder.ts";
import { mpich, openMpi } from "./imageProfileOf.ts";

const debian = "/usr/lib/x86_64-linux-gnu/libmpich.so.12";

describe("readDynamicSymbols", () => {
  it.skipIf(!existsSync(debian))("reads what MPICH says of itself (Debian's libmpich12)", () => {
    const symbols = readDynamicSymbols(readFileSync(debian));
    expect(symbols.byName.get("MPI_Init")?.defined).toBe(true);
    expect(symbols.byName.get("malloc")?.defined).toBe(false);
    expect(symbols.text("MPII_Version_string")).toMatch(/^\d+\.\d+/);
    expect(symbols.text("malloc")).toBeUndefined();
    expect(symbols.text("nothing")).toBeUndefined();
  });

  it("takes anything", () => {
    const whole = buildElf({ needed: ["libc.so.6"], dynamic: [[6, 0x1_0000]] });
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), fc.nat(whole.length), (changes, length) => {
        const damaged = Buffer.from(whole);
        for (const [at, value] of changes) damaged[at] = value;
        const symbols = readDynamicSymbols(damaged.subarray(0, length));
        for (const name of symbols.byName.keys()) symbols.text(name);
      }),
    );
    expect(readDynamicSymbols(Buffer.from("no ELF")).byName.size).toBe(0);
  });
});

describe("describeMpiLibrary", () => {
  it.skipIf(!existsSync(debian))("knows Debian's MPICH", () => {
    const path = realpathSync(debian);
    const bytes = readFileSync(path);
    const facts = readElfInfo(bytes);
    if (facts === undefined) throw new Error("no facts");
    expect(describeMpiLibrary(path, bytes, facts)).toEqual({
      path,
      soname: "libmpich.so.12",
      family: "mpich",
      version: expect.stringMatching(/^4\.\d+\.\d+/),
      abi: expect.stringMatching(/^12\.\d+\.\d+$/),
      device: expect.stringMatching(/^ch4:/),
      pmi: [{ flavour: "pmi1", evidence: "the text `cmd=init pmi_version`" }],
    });
  });

  it("is for libraries with MPI in them only", () => {
    const bytes = buildElf({ soname: "libmpi.so.12" });
    const facts = readElfInfo(bytes);
    if (facts === undefined) throw new Error("no facts");
    expect(describeMpiLibrary("/lib/libmpi.so.12", bytes, facts)).toBeUndefined();
    for (const name of [
      "libmpi.so",
      "libmpi.so.12.2.2",
      "libmpich.so.12",
      "libmpi_cray.so.12",
      "libmpi_gnu_91.so",
    ])
      expect(mpiLibraryPattern.test(`opt/lib/${name}`)).toBe(true);
    for (const name of ["libmpicxx.so.12", "libmpifort.so.12", "libmpi.a", "xlibmpi.so"])
      expect(mpiLibraryPattern.test(`opt/lib/${name}`)).toBe(false);
  });

  it("knows Open MPI's components", () => {
    const flavour = (name: string) => pmiOfOpenMpiComponent(`/lib/openmpi/${name}.so`)?.flavour;
    expect(flavour("mca_pmix_s1")).toBe("pmi1");
    expect(flavour("mca_pmix_s2")).toBe("pmi2");
    expect(flavour("mca_pmix_ext3x")).toBe("pmix");
    expect(flavour("mca_pmix_pmix4x")).toBe("pmix");
    expect(flavour("mca_pmix_cray")).toBe("cray");
    expect(flavour("mca_pmix_isolated")).toBeUndefined();
    expect(flavour("mca_btl_tcp")).toBeUndefined();
  });
});

describe("choosePmi", () => {
  it("takes the site's first that the library can talk to", () => {
    expect(choosePmi(mpich, ["pmix", "pmi2"], false).plugin).toBe("pmi2");
    expect(choosePmi(openMpi, ["pmi2", "pmix_v4", "pmix"], false).plugin).toBe("pmix_v4");
    expect(choosePmi(openMpi, ["pmi2"], false).plugin).toBeUndefined();
    expect(choosePmi(mpich, ["none"], false).plugin).toBeUndefined();
  });

  it("lets the host's MPI decide where that takes the container's place", () => {
    expect(choosePmi(mpich, ["cray_shasta", "pmi2"], true).plugin).toBe("cray_shasta");
    expect(choosePmi(undefined, ["pmi2"], true).plugin).toBeUndefined();
  });

  it("knows what plug-ins serve", () => {
    expect(servedBy("pmi2")).toEqual(["pmi1", "pmi2"]);
    expect(servedBy("pmix_v3")).toEqual(["pmix"]);
    expect(servedBy("openmpi")).toEqual([]);
  });

  it("is about the library that programs load", () => {
    expect(mainMpi([openMpi, mpich], [mpich.path])).toBe(mpich);
    expect(mainMpi([openMpi, mpich], [undefined])).toBe(openMpi);
    expect(mainMpi([], [])).toBeUndefined();
  });
});

describe("version bounds", () => {
  it.each([
    [":3.4", ["3.4", "3.4.3", "1"], ["3.5", "4.0.2"]],
    ["3.1:", ["3.1", "4.0rc1"], ["3.0.9", "2"]],
    ["3.1:4", ["4.9.9", "3.1.4"], ["5", "3.0"]],
    ["4.0.2", ["4.0.2"], ["4.0", "4.0.3"]],
    ["1.19", ["1.19.1"], ["1.2", "1.190"]],
    [":", ["0", "99"], []],
  ])("%s", (text, inside, outside) => {
    const bounds = parseVersionBounds(text);
    for (const version of inside) expect(withinBounds(version, bounds), version).toBe(true);
    for (const version of outside) expect(withinBounds(version, bounds), version).toBe(false);
  });
});
