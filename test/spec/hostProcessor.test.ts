import { describe, expect, it } from "vitest";
import { armVendors, processorFeatures } from "../../src/spec/data/processorFeatures.ts";
import { processorOf } from "../../src/spec/hostProcessor.ts";

const flagsOf = (name: string): string => processorFeatures[name]?.[0] ?? "";
const intel = (flags: string): string =>
  `processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: ${flags}\n\nprocessor\t: 1\n`;
const amd = (flags: string): string => intel(flags).replace("GenuineIntel", "AuthenticAMD");

describe("processorOf", () => {
  it("finds every model by its own features", () => {
    for (const name of ["nehalem", "haswell", "skylake", "skylake_avx512", "icelake", "sapphirerapids"])
      expect(processorOf(intel(flagsOf(name)), "x86_64")).toBe(name);
    for (const name of ["zen", "zen2", "zen3", "zen4"])
      expect(processorOf(amd(flagsOf(name)), "x86_64")).toBe(name);
  });

  it("takes the level where no model of the maker fits", () => {
    expect(processorOf(intel(flagsOf("x86_64_v3")), "x86_64")).toBe("x86_64_v3");
    // A hypervisor that hides what the model's name promises.
    expect(
      processorOf(
        amd(`${flagsOf("zen2").replace("clwb", "")} avx512f avx512bw avx512cd avx512dq avx512vl`),
        "x86_64",
      ),
    ).toBe("x86_64_v4");
    expect(processorOf(intel(flagsOf("zen2")), "x86_64")).not.toContain("zen");
  });

  it("knows what the kernel calls otherwise", () => {
    expect(processorOf(intel(flagsOf("haswell").replace(/\bsse3\b/, "pni")), "x86_64")).toBe("haswell");
  });

  it("knows Arm processors by maker and part", () => {
    const code = Object.entries(armVendors).find(([, name]) => name === "ARM")?.[0];
    const info = (name: string, part: string) =>
      `processor\t: 0\nFeatures\t: ${flagsOf(name)}\nCPU implementer\t: ${code}\nCPU part\t: ${part}\n`;
    const [, part = ""] = processorFeatures.neoverse_n1 ?? [];
    expect(processorOf(info("neoverse_n1", part), "aarch64")).toBe("neoverse_n1");
    expect(processorOf(info("neoverse_n1", "0xfff"), "aarch64")).not.toBe("neoverse_n1");
  });

  it("says the family when nothing is known", () => {
    expect(processorOf("", "x86_64")).toBe("x86_64");
    expect(processorOf("Features : fp\n", "aarch64")).toBe("aarch64");
  });
});
