import { expect, it } from "vitest";
import { defaultConfiguration } from "../../../src/definitions/configuration.ts";
import { readManifest } from "../../../src/environment/manifest.ts";
import { movedPlaces } from "../../../src/pipeline/choose/movedPlaces.ts";

function moved(text: string): readonly string[] {
  const { environment } = readManifest(`spack:\n${text}`, "spack.yaml");
  if (environment === undefined) throw new Error("invalid");
  return movedPlaces(environment, defaultConfiguration("/")).map(
    ({ message, place }) => `${place.line}:${place.column} ${message}`,
  );
}

it("warns of places that an image does not have", () => {
  expect(moved("  config: { install_tree: { root: /sw } }\n  view: /views/all\n")).toEqual([
    "2:35 packages are in `/opt/software`, not in `/sw`",
    "3:9 the view is in `/opt/view`, not in `/views/all`",
  ]);
  expect(moved("  view: { other: { root: /a }, default: { root: /b } }\n")).toEqual([
    "2:32 the view is in `/opt/view`, not in `/b`",
  ]);
});

it.each([
  "  config: { install_tree: { root: /opt/software/ } }\n  view: /opt/view\n",
  "  config: { install_tree: { root: $spack/opt } }\n  view: .view\n",
  "  view: false\n",
  "  view: true\n",
])("is silent about %j", (text) => expect(moved(text)).toEqual([]));
