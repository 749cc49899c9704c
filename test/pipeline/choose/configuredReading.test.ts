import { describe, expect, it } from "vitest";
import { readConfiguration } from "../../../src/definitions/configuration.ts";
import { configuredReading } from "../../../src/pipeline/choose/configuredReading.ts";
import { machineSystem } from "../../../src/pipeline/choose/machineSystem.ts";

const read = (text: string, arch: "amd64" | "arm64" = "amd64") => {
  const { configuration } = readConfiguration(text, "spacktainers.yaml", "/root");
  if (configuration === undefined) throw new Error("invalid");
  return configuredReading({ arch }, configuration);
};

describe("configuredReading", () => {
  it.each([
    ["", "debian12"],
    ["base: { debian: '13' }\n", "debian13"],
    ["base: { ubuntu: noble }\n", "ubuntu24.04"],
  ])("%j has the system of the base", async (text, os) =>
    expect(await read(text)).toEqual({ platform: { target: "x86_64_v3", os } }),
  );

  it("prefers the system of the platform", async () => {
    const text = "base: { scratch: true }\nplatforms: { arm64: { target: neoverse_v1, os: rhel9 } }\n";
    expect(await read(text, "arm64")).toEqual({ platform: { target: "neoverse_v1", os: "rhel9" } });
  });

  it.each(["base: { debian: sid }\n", "base: { scratch: true }\n"])(
    "%j has that of this machine",
    async (text) => expect((await read(text)).platform?.os).toBe(await machineSystem()),
  );

  it("has the generation only where it is configured", async () => {
    expect((await read("spack: { dialect: 0.x }\n")).dialect).toBe("0.x");
    expect((await read("")).dialect).toBeUndefined();
  });
});
