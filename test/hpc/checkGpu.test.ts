import { describe, expect, it } from "vitest";
import { checkGpu, checkGpuHost } from "../../src/hpc/checkGpu.ts";
import { libcudaIn, nvidiaVersion } from "../../src/hpc/gpuDrivers.ts";
import type { PackageFact } from "../../src/hpc/imageProfile.ts";
import { soundFacts } from "./imageProfileOf.ts";

const withPackage = (name: string, version: string) => {
  const one: PackageFact = { name, version, hash: "c".repeat(32), target: "x86_64", root: false };
  return { ...soundFacts, packages: [one] };
};
const told = (name: string, version: string, driver: string | undefined): string =>
  checkGpu(withPackage(name, version), driver, "here")
    .map(({ severity, message }) => `${severity} ${message}`)
    .join();

describe("the driver against what an image was built for", () => {
  it.each([
    ["cuda", "12.4.1", "535.104.05", /^ok .*new enough for CUDA 12.4.1/],
    ["cuda", "12.4.1", "525.60.13", /^ok /],
    [
      "cuda",
      "12.4.1",
      "525.60.12",
      /^error CUDA 12.4.1 needs NVIDIA's driver 525.60.13 or newer, here has 525.60.12/,
    ],
    ["cuda", "12.4.1", "470.82.01", /^error /],
    ["cuda", "11.8.0", "470.82.01", /^ok /],
    ["cuda", "13.0.0", "575.10", /^error /],
    ["cuda", "12.4.1", undefined, /^warning .*nothing says which here has/],
    ["cuda", "10.1.243", "418.39", /^ok /],
    ["cuda", "10.2.89", "418.39", /^error CUDA 10.2.89 needs NVIDIA's driver 440.33 or newer/],
    ["cuda", "11.8.0", "450.80.02", /^ok /],
    ["cuda", "13.0.1", "580.65.06", /^ok /],
    ["cuda", "13.0.1", "575.57.08", /^error CUDA 13.0.1 needs NVIDIA's driver 580 or newer/],
    // The other versions of 10 have each their own driver, and some were never released.
    ["cuda", "10.7", "535.0", /^warning which driver CUDA 10.7 needs/],
    ["cuda", "99.0", "535.0", /^warning which driver CUDA 99.0 needs/],
    ["hip", "6.0.2", undefined, /^ok .*ROCm 6.0.2/],
    ["zlib", "1.3", "535.0", /^warning no package .*CUDA or ROCm/],
  ])("%s@%s with %s", (name, version, driver, expected) => {
    expect(told(name, version, driver)).toMatch(expected);
  });

  it("says which CUDA would do", () => {
    expect(checkGpu(withPackage("cuda", "12.1.0"), "470.1", "here")[0]?.remedy).toContain("cuda@:11`");
    expect(checkGpu(withPackage("cuda", "12.1.0"), "430.1", "here")[0]?.remedy).toContain("cuda@:10.1`");
    expect(checkGpu(withPackage("cuda", "12.1.0"), "390.1", "here")[0]?.remedy).toContain("a newer driver");
  });
});

describe("a machine's drivers", () => {
  it("are read as the kernel and the loader tell of them", () => {
    const text =
      "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version:  gcc version 12\n";
    expect(nvidiaVersion(text)).toBe("535.104.05");
    const open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build\n";
    expect(nvidiaVersion(open)).toBe("550.54.15");
    expect(nvidiaVersion("")).toBeUndefined();
    expect(libcudaIn("\tlibcuda.so.1 (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libcuda.so.1\n")).toBe(
      "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
    );
    expect(libcudaIn("\tlibcudart.so.12 (libc6,x86-64) => /x/libcudart.so.12\n")).toBeUndefined();
  });

  it("are nothing to bring into containers without their library", () => {
    const check = (nvidia: string | undefined, libcuda: string | undefined) =>
      checkGpuHost({ nvidia, libcuda, amdgpu: undefined }).map(({ severity }) => severity);
    expect(check("535.1", undefined)).toEqual(["warning"]);
    expect(check("535.1", "/x/libcuda.so.1")).toEqual(["ok"]);
    expect(check(undefined, undefined)).toEqual([]);
    expect(checkGpuHost({ nvidia: undefined, libcuda: undefined, amdgpu: "" })[0]?.message).toBe(
      "AMD's driver",
    );
  });
});
