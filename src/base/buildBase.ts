/** The one way to a base, whatever lies underneath. */

import { asSpacktainersError } from "../util/errors.ts";
import { stopIfAborted } from "../util/interruption.ts";
import { baseKeyOf, openBaseStore } from "./baseStore.ts";
import type { Base, BasePlan, BaseSpec, BasesElsewhere, BuildBaseOptions, PlannedBase } from "./types.ts";

/**
 * Builds a base, or finds the one built before from the same inputs.
 *
 * @throws SpacktainersError BASE_INVALID, BASE_UNSATISFIABLE (the request), NOT_FOUND, NETWORK (what it is made from),
 *   SIGNATURE_*, KEY_*, INDEX_EXPIRED, IDENTITY_MISMATCH, CHECKSUM_MISMATCH (trust), ARCHIVE_*, LOCK_INVALID
 */
export async function buildBase(spec: BaseSpec, options: BuildBaseOptions): Promise<Base> {
  return (await planBase(spec, options)).build();
}

/**
 * Decides what a base consists of, without building it: indexes and documents are read, nothing else.
 *
 * @throws SpacktainersError as {@link buildBase}
 */
export async function planBase(spec: BaseSpec, options: BuildBaseOptions): Promise<PlannedBase> {
  const plan = await told(() => planOf(spec, options));
  let underWay: { readonly elsewhere: BasesElsewhere | undefined; readonly base: Promise<Base> } | undefined;
  // Asked for again before it is finished, it is not built twice.
  function build(elsewhere?: BasesElsewhere): Promise<Base> {
    if (underWay !== undefined && underWay.elsewhere === elsewhere) return underWay.base;
    const base = buildNow(elsewhere).finally(() => {
      if (underWay?.base === base) underWay = undefined;
    });
    underWay = { elsewhere, base };
    return base;
  }
  function buildNow(elsewhere: BasesElsewhere | undefined): Promise<Base> {
    return told(async () => {
      const found = (await plan.find()) ?? (await elsewhere?.find(plan.key));
      if (found !== undefined) return found;
      return elsewhere !== undefined && plan.refer !== undefined ? plan.refer() : plan.make();
    });
  }
  return { ...plan, build };
}

async function planOf(spec: BaseSpec, options: BuildBaseOptions): Promise<BasePlan> {
  stopIfAborted(options.signal);
  const store = openBaseStore(options.cacheDir);
  switch (spec.kind) {
    case "scratch": {
      const key = baseKeyOf(["scratch"]);
      const make = async (): Promise<Base> => ({ layers: [], inventory: { entries: [] }, packages: [], key });
      return { key, layerCount: 0, packages: [], find: make, make };
    }
    case "debian": {
      const { planDebianBase } = await import("./debian/buildDebianBase.ts");
      return planDebianBase(spec, options, store);
    }
    case "rootfs": {
      const { planRootfsBase } = await import("./rootfsBase.ts");
      return planRootfsBase(spec, options, store);
    }
    case "oci": {
      const { planOciBase } = await import("./ociBase.ts");
      return planOciBase(spec, options, store);
    }
    case "image": {
      const { planImageBase } = await import("./imageBase.ts");
      return planImageBase(spec, options, store);
    }
  }
}

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asSpacktainersError(error);
  }
}
