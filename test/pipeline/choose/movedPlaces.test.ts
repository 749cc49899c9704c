import { expect, it } from "vitest";
import { readConfiguration } from "../../../src/definitions/configuration.ts";
import { readManifest } from "../../../src/environment/manifest.ts";
import { movedPlaces } from "../../../src/pipeline/choose/movedPlaces.ts";

function moved(text: string, caches = ""): readonly string[] {
  const { environment } = readManifest(`spack:\n${text}`, "/repo/a/spack.yaml");
  const { configuration } = readConfiguration(caches, "/repo/spacktainers.yaml");
  if (environment === undefined || configuration === undefined) throw new Error("invalid");
  return movedPlaces(environment, configuration).map(
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

it("warns of mirrors of packages that are no caches here", () => {
  const mirrors =
    "  mirrors: { group: s3://group/cache/, here: ../cache, sources: { url: https://x, binary: false } }\n";
  const said = (name: string) =>
    `no packages come from the mirror \`${name}\`, but from the caches of spacktainers.yaml`;
  expect(moved(mirrors)).toEqual([`2:14 ${said("group")}`, `2:40 ${said("here")}`]);
  expect(
    moved(mirrors, "caches: [{ url: s3://group/cache, unsigned: true }, { url: cache, unsigned: true }]"),
  ).toEqual([]);
  expect(
    moved("  mirrors: { here: file:///repo/cache }\n", "caches: [{ url: cache, unsigned: true }]"),
  ).toEqual([]);
});

it("does not compare mirrors with caches that a command line replaces", () => {
  const { environment } = readManifest(
    "spack:\n  mirrors: { group: s3://group/cache }\n  view: /views/all\n",
    "/repo/a/spack.yaml",
  );
  const { configuration } = readConfiguration("", "/repo/spacktainers.yaml");
  if (environment === undefined || configuration === undefined) throw new Error("invalid");
  const messages = (caches: typeof configuration.caches | undefined) =>
    movedPlaces(environment, { ...configuration, caches }).map(({ message }) => message);
  expect(messages(undefined)).toEqual(["the view is in `/opt/view`, not in `/views/all`"]);
  expect(messages([])).toHaveLength(2);
});
