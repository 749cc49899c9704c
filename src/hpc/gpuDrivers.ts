import { readFile, stat } from "node:fs/promises";
import { runTool } from "../util/tool.ts";
import type { GpuDrivers } from "./checkGpu.ts";

/** Looks for drivers of graphics processors on this machine. */
export async function readGpuDrivers(): Promise<GpuDrivers> {
  const nvidia = await readFile("/proc/driver/nvidia/version", "utf8").then(nvidiaVersion, () => undefined);
  const amd = await readFile("/sys/module/amdgpu/version", "utf8").then(
    (text) => text.trim(),
    () => undefined,
  );
  const hasAmd = await stat("/sys/module/amdgpu").then(
    () => true,
    () => false,
  );
  return {
    nvidia,
    libcuda:
      nvidia === undefined
        ? undefined
        : libcudaIn((await runTool(["ldconfig", "-p"], { timeout: 30_000 })).stdout),
    amdgpu: amd ?? (hasAmd ? "" : undefined),
  };
}

/** Reads `/proc/driver/nvidia/version`: `NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat …`. */
export function nvidiaVersion(text: string): string | undefined {
  return /^NVRM version:.*?\s(\d+\.\d+(?:\.\d+)?)\s/m.exec(text)?.[1];
}

/** Path of `libcuda.so.1` in what `ldconfig -p` prints. */
export function libcudaIn(text: string): string | undefined {
  return /^\s*libcuda\.so\.1 .*=> (\S+)$/m.exec(text)?.[1];
}
