import { describe, expect, it } from "vitest";
import { readConfiguration } from "../../../src/definitions/configuration.ts";
import { configuredReading } from "../../../src/pipeline/choose/configuredReading.ts";

const read = (text: string, arch: "amd64" | "arm64" = "amd64") => {
  const { configuration } = readConfiguration(text, "spacktainers.yaml", "/root");
  if (configuration === undefined) throw new Error("invalid");
  return configuredReading({ arch }, configuration);
};

describe("configuredReading", () => {
  it("has the system of the base unless the platform says one", () => {
    expect(read("")).toEqual({ platform: { target: "x86_64_v3", os: "debian12" } });
    expect(read("base: { debian: '13' }\n").platform?.os).toBe("debian13");
    expect(read("base: { ubuntu: noble }\n").platform?.os).toBe("ubuntu24.04");
    expect(read("base: { debian: sid }\n").platform?.os).toBeUndefined();
    expect(read("base: { scratch: true }\n").platform?.os).toBeUndefined();
    expect(
      read("base: { scratch: true }\nplatforms: { arm64: { target: neoverse_v1, os: rhel9 } }\n", "arm64"),
    ).toEqual({
      platform: { target: "neoverse_v1", os: "rhel9" },
    });
  });

  it("has the generation only where it is configured", () => {
    expect(read("spack: { dialect: 0.x }\n").dialect).toBe("0.x");
    expect(read("")).not.toHaveProperty("dialect");
  });
});
