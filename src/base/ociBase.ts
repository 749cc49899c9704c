import { SpacktainersError } from "../util/errors.ts";
import type { BaseStore } from "./baseStore.ts";
import type { Base, BuildBaseOptions, OciBaseSpec } from "./types.ts";
export async function readOciBase(_s: OciBaseSpec, _o: BuildBaseOptions, _t: BaseStore): Promise<Base> {
  throw new SpacktainersError("NOT_SUPPORTED", "x");
}
