/** Plans for tests of what is printed of them. */
import type { LayerReport, PackageReport, PlanReport } from "../../src/commands/plan/planReport.ts";
import { digestOf } from "../../src/util/digest.ts";

export const onePackage = (name: string, over: Partial<PackageReport> = {}): PackageReport => ({
  name,
  version: "1.2",
  hash: `${name.padEnd(32, "x")}`,
  whereabouts: "to make",
  size: undefined,
  archive: { digest: digestOf(name), size: 1_000_000, local: false },
  change: undefined,
  ...over,
});
export const oneLayer = (
  packages: readonly PackageReport[],
  over: Partial<LayerReport> = {},
): LayerReport => ({
  key: packages.map(({ name }) => name).join(),
  whereabouts: "to make",
  size: undefined,
  inImage: false,
  packages,
  ...over,
});
export const onePlan = (layers: readonly LayerReport[], over: Partial<PlanReport> = {}): PlanReport => ({
  name: "tools",
  arch: "amd64",
  version: "1.2",
  upToDate: false,
  base: {
    name: "debian:bookworm (26 packages)",
    whereabouts: "local",
    layers: 1,
    size: 40_000_000,
    download: 0,
  },
  layers,
  epilogue: undefined,
  removed: [],
  download: { archives: 0, bytes: 0, unknown: 0 },
  install: { packages: 0, bytes: 0 },
  push: undefined,
  ...over,
});
