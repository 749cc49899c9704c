import type { BaseConfiguration } from "../../definitions/configuration.ts";
import { baseSpec } from "./baseSpec.ts";

/**
 * The configuration's words on the base, as far as they decide what it is: a lock that was made with others is out of
 * date. Where a file or a server is does not matter: its contents have digests.
 */
export function baseRequest(base: BaseConfiguration): readonly string[] {
  switch (base.kind) {
    case "debian": {
      const spec = baseSpec(base);
      const packages = spec.kind === "debian" ? spec.packages : [];
      return [
        `${base.distribution} ${base.suite}`,
        `packages ${[...new Set(packages)].sort().join(" ")}`,
        ...(base.complete ? ["complete"] : []),
        ...(base.components === undefined ? [] : [`components ${[...base.components].sort().join(" ")}`]),
        ...(base.snapshot === undefined ? [] : [`snapshot ${base.snapshot}`]),
      ];
    }
    case "oci":
      return base.reference === undefined ? [] : [`reference ${base.reference}`];
    case "image":
      return [`image ${base.reference}`];
    case "rootfs":
    case "scratch":
      return [];
  }
}
