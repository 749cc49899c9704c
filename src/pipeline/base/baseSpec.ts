import { defaultBasePackages } from "../../base/debian/defaultPackages.ts";
import type { Base, BaseSpec } from "../../base/types.ts";
import type { BaseConfiguration } from "../../definitions/configuration.ts";

/** The base as configured. */
export function baseSpec(base: BaseConfiguration): BaseSpec {
  if (base.kind !== "debian") return base;
  const { complete: _, packages, ...spec } = base;
  return { ...spec, packages: packages ?? defaultBasePackages };
}

/** What lies underneath, for people and for the image's labels. */
export function nameOfBase(base: BaseConfiguration, built: Pick<Base, "packages">): string {
  switch (base.kind) {
    case "debian":
      return `${base.distribution}:${base.suite} (${built.packages.length} packages)`;
    case "rootfs":
    case "oci":
      return base.kind;
    case "image":
      return base.reference;
    case "scratch":
      return "scratch";
  }
}
