import { dirname, resolve } from "node:path";
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

/** What movedPlaces compares a manifest with. */
export interface ActualPlaces extends Pick<Configuration, "install" | "view"> {
  /** Undefined where a command line names other caches: then nobody expects those of the manifest. */
  readonly caches: Configuration["caches"] | undefined;
}

/**
 * Warnings of places in a manifest that are others here: where packages and the view lie in an image, and where packages come from, is
 * configured.
 */
export function movedPlaces(
  { config, views, mirrors }: Pick<Environment, "config" | "views" | "mirrors">,
  { install, view, caches }: ActualPlaces,
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
  if (caches === undefined) return moved;
  const known = new Set(caches.map(({ url, place }) => comparableUrl(url, place)));
  for (const { name, url, binary, place } of mirrors)
    if (binary && !known.has(comparableUrl(url, place)))
      moved.push(
        new SpacktainersError(
          "NOT_SUPPORTED",
          `no packages come from the mirror \`${name}\`, but from the caches of spacktainers.yaml`,
          { place, hint: "if it is a build cache, name it there under `caches:`" },
        ),
      );
  return moved;
}

/** A URL or path of a cache, so that two ways to write it are the same. */
function comparableUrl(url: string, { file }: Place): string {
  const path = url.replace(/^file:(?=\/|[^:]*$)(\/\/(?=\/))?/, "");
  return (/^[a-z][a-z0-9+.-]*:/i.test(path) ? path : resolve(dirname(file ?? ""), path)).replace(/\/+$/, "");
}
