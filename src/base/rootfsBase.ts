import { SpacktainersError } from "../util/errors.ts";
import type { BaseStore } from "./baseStore.ts";
import type { Base, BuildBaseOptions, RootfsBaseSpec } from "./types.ts";
export async function buildRootfsBase(
  _s: RootfsBaseSpec,
  _o: BuildBaseOptions,
  _t: BaseStore,
): Promise<Base> {
  throw new SpacktainersError("NOT_SUPPORTED", "x");
}
