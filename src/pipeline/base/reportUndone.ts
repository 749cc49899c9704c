import type { Base } from "../../base/types.ts";
import type { EmitEvent } from "../../util/events.ts";

/**
 * Gives notice of what maintainer scripts would have done to a base, whether it was made now or earlier. To be called once
 * for an image, with its final base: more than one base may be made before its libraries are complete.
 */
export function reportUndone({ undone }: Pick<Base, "undone">, emit: EmitEvent): void {
  if (undone === undefined) return;
  emit({
    type: "warning",
    code: "NOTICE",
    message: undone,
    hint: "do it in a Dockerfile.epilogue, or start from an image that has it (`base: image:`)",
  });
}
