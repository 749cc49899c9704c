import type { Configuration } from "../../definitions/configuration.ts";
import type { Environment } from "../../environment/types.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";

interface ComparedPlace {
  readonly what: string;
  /** Key of spacktainers.yaml. */
  readonly key: string;
  readonly wanted: string | undefined;
  readonly actual: string;
}

/** Warnings of places in a manifest that are elsewhere in an image: where packages and the view lie is configured. */
export function movedPlaces(
  { config, views }: Pick<Environment, "config" | "views">,
  { install, view }: Pick<Configuration, "install" | "view">,
): readonly SpacktainersError[] {
  const moved: SpacktainersError[] = [];
  const compare = ({ what, key, wanted, actual }: ComparedPlace, place: Place) => {
    // Others than plain absolute paths are no places in an image.
    if (wanted === undefined || !wanted.startsWith("/") || wanted.includes("$")) return;
    if (wanted.replace(/\/+$/, "") === actual) return;
    moved.push(
      new SpacktainersError("NOT_SUPPORTED", `${what} in \`${actual}\`, not in \`${wanted}\``, {
        place,
        hint: `\`${key}: root\` of spacktainers.yaml says where`,
      }),
    );
  };
  const tree = config.installTree;
  if (tree !== undefined)
    compare({ what: "packages are", key: "install", wanted: tree.root, actual: install.root }, tree.place);
  const shown = views.find(({ name }) => name === "default") ?? views[0];
  if (shown !== undefined)
    compare({ what: "the view is", key: "view", wanted: shown.root, actual: view.root }, shown.place);
  return moved;
}
