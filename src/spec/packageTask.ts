import type { Task, TaskKind } from "../util/events.ts";
import type { ConcreteSpec } from "./concrete.ts";

/** The task of doing something with a package, as it is announced: known to programs by its hash, to people by name and version. */
export function packageTask<Kind extends TaskKind>(
  kind: Kind,
  { hash, name, version }: Pick<ConcreteSpec, "hash" | "name" | "version">,
): Task & { readonly kind: Kind } {
  return { kind, subject: hash, label: `${name}@${version}` };
}
