/** Whether an image's programs find graphics processors: the machine's driver against what they were built for. */
import type { Finding } from "./finding.ts";
import { ok } from "./finding.ts";
import type { ImageProfile } from "./imageProfile.ts";

/** What a machine has of drivers. */
export interface GpuDrivers {
  /** Version of NVIDIA's kernel module. */
  readonly nvidia: string | undefined;
  /** Path of the machine's `libcuda.so.1`, which runtimes put into containers. */
  readonly libcuda: string | undefined;
  /** Version of AMD's kernel module, or empty where it is the kernel's own; undefined: there is none. */
  readonly amdgpu: string | undefined;
}

/**
 * The oldest driver for Linux with which programs of a CUDA run: since CUDA 11 one for all minor versions, before that one for each.
 * Newer drivers run older programs. Source: NVIDIA, "CUDA Compatibility", page "Minor Version Compatibility", tables 1 and 2; the last
 * digits of 11 and 12 from the CUDA Toolkit's release notes, table "Minimum Required Driver Version".
 */
const oldestDrivers: readonly { readonly cuda: string; readonly driver: string }[] = [
  { cuda: "10.0", driver: "410.48" },
  { cuda: "10.1", driver: "418.39" },
  { cuda: "10.2", driver: "440.33" },
  { cuda: "11", driver: "450.80.02" },
  { cuda: "12", driver: "525.60.13" },
  { cuda: "13", driver: "580" },
];

/** The oldest driver for a CUDA, `12.4.1`; undefined for versions that are not in the table. */
function oldestDriverFor(cuda: string): string | undefined {
  return oldestDrivers.find((row) => `${cuda}.`.startsWith(`${row.cuda}.`))?.driver;
}

/** A driver's version in parts. */
function isOlder(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => text.split(".").map(Number));
  for (let at = 0; at < Math.max(a?.length ?? 0, b?.length ?? 0); at++) {
    const difference = (a?.[at] ?? 0) - (b?.[at] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** The CUDA and the ROCm that the image's packages were built with. */
function toolkits({ packages }: ImageProfile): {
  readonly cuda: string | undefined;
  readonly rocm: string | undefined;
} {
  const version = (name: string): string | undefined => packages?.find((one) => one.name === name)?.version;
  return { cuda: version("cuda"), rocm: version("hip") ?? version("hsa-rocr-dev") };
}

/**
 * Checks.
 * @param driver of the nodes: the site's `gpu-driver`, or this machine's; undefined: nobody says
 * @param where whose driver it is, for people
 */
export function checkGpu(facts: ImageProfile, driver: string | undefined, where: string): readonly Finding[] {
  const check = "gpu";
  const { cuda, rocm } = toolkits(facts);
  if (cuda === undefined)
    return rocm === undefined
      ? [
          {
            severity: "warning",
            check,
            message: "no package of the image was built with CUDA or ROCm: GPUs stay unused",
            evidence: ["/opt/spack-environment/spack.lock has neither cuda nor hip"],
            remedy: "specs with `+cuda cuda_arch=…` or `+rocm amdgpu_target=…`",
          },
        ]
      : [ok(check, `the image has ROCm ${rocm}`)];
  const oldest = oldestDriverFor(cuda);
  if (driver === undefined || oldest === undefined)
    return [
      {
        severity: "warning",
        check,
        message:
          oldest === undefined
            ? `which driver CUDA ${cuda} needs is not known`
            : `CUDA ${cuda} needs NVIDIA's driver ${oldest} or newer, and nothing says which ${where} has`,
        evidence: [`cuda@${cuda}`],
        remedy: "write `gpu-driver:` of the site, by `nvidia-smi` on a node",
      },
    ];
  if (isOlder(driver, oldest))
    return [
      {
        severity: "error",
        check,
        message: `CUDA ${cuda} needs NVIDIA's driver ${oldest} or newer, ${where} has ${driver}: programs find no GPU`,
        evidence: [`cuda@${cuda}`],
        remedy: olderCuda(driver),
      },
    ];
  return [ok(check, `NVIDIA's driver ${driver} of ${where} is new enough for CUDA ${cuda}`)];
}

/** Advice for a driver that is too old for the image's CUDA. */
function olderCuda(driver: string): string {
  const newest = oldestDrivers.findLast((row) => !isOlder(driver, row.driver));
  return newest === undefined
    ? `a newer driver: ${driver} is too old for CUDA ${oldestDrivers[0]?.cuda} and all later ones`
    : `an older CUDA in the container (\`require: cuda@:${newest.cuda}\`), or a newer driver`;
}

/** What a machine's drivers mean for containers on it. */
export function checkGpuHost(gpu: GpuDrivers): readonly Finding[] {
  const check = "gpu";
  const findings: Finding[] = [];
  if (gpu.nvidia !== undefined)
    findings.push(
      gpu.libcuda === undefined
        ? {
            severity: "warning",
            check,
            message: `NVIDIA's driver ${gpu.nvidia} is loaded, and there is no libcuda.so.1: runtimes have nothing to bring into containers`,
            evidence: ["ldconfig -p"],
            remedy: "install the driver's libraries, of the same version",
          }
        : ok(check, `NVIDIA's driver ${gpu.nvidia}`, gpu.libcuda),
    );
  if (gpu.amdgpu !== undefined) findings.push(ok(check, `AMD's driver ${gpu.amdgpu}`.trimEnd()));
  return findings;
}
