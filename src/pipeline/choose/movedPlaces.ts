import type { Configuration } from "../../definitions/configuration.ts";
import type { Environment } from "../../environment/types.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";

/** Warnings of places in a manifest that are elsewhere in an image: where packages and the view lie is configured. */
export function movedPlaces(
  { config, views }: Pick<Environment, "config" | "views">,
  { install, view }: Pick<Configuration, "install" | "view">,
): readonly SpacktainersError[] {
  const moved: SpacktainersError[] = [];
  const compare = (what: string, key: string, wanted: string | undefined, actual: string, place: Place) => {
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
  if (tree !== undefined) compare("packages are", "install", tree.root, install.root, tree.place);
  const shown = views.find(({ name }) => name === "default") ?? views[0];
  if (shown !== undefined) compare("the view is", "view", shown.root, view.root, shown.place);
  return moved;
}
