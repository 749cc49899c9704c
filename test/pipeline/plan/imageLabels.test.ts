import { describe, expect, it } from "vitest";
import { defaultConfiguration } from "../../../src/definitions/configuration.ts";
import {
  imageLabels,
  inheritedLabels,
  type LabelInput,
  manifestAnnotations,
} from "../../../src/pipeline/plan/imageLabels.ts";
import { makeSpec } from "../../view/makeSpec.ts";

const spec = makeSpec("ring", { version: "2.0" });

function labels(metadata: Partial<LabelInput["metadata"]> = {}) {
  return imageLabels({
    names: { name: "demo", version: "2.0" } as LabelInput["names"],
    metadata: { ...defaultConfiguration("/").image, labels: new Map(), ...metadata },
    resolved: {
      resolution: { roots: [{ hash: spec.hash, request: "ring@2:" }] },
      graph: new Map([[spec.hash, spec]]),
      packages: [{ spec }],
    } as unknown as LabelInput["resolved"],
    base: { name: "debian:bookworm", digest: undefined },
    source: undefined,
    created: 0,
  });
}

describe("imageLabels", () => {
  it("names the container, its packages and its base, and nothing that is unknown", () => {
    expect(labels()).toEqual({
      "org.opencontainers.image.title": "demo",
      "org.opencontainers.image.version": "2.0",
      "org.opencontainers.image.created": "1970-01-01T00:00:00Z",
      "org.opencontainers.image.base.name": "debian:bookworm",
      "dev.spacktainers.specs": "ring@2:",
      "dev.spacktainers.roots": `ring@2.0/${spec.hash}`,
      "dev.spacktainers.target": "x86_64_v3",
      "dev.spacktainers.spack": "1.x",
    });
  });

  it("fills in configured texts; its own labels win", () => {
    const found = labels({
      vendor: "the makers of {name} {version}",
      labels: new Map([
        ["site", "{name}"],
        ["org.opencontainers.image.title", "other"],
      ]),
    });
    expect(found).toMatchObject({
      "org.opencontainers.image.vendor": "the makers of demo 2.0",
      site: "demo",
      "org.opencontainers.image.title": "demo",
    });
  });
});

it("annotates the manifest with the last change of the container, else with the commit", () => {
  const source = { revision: "aaaa" } as Parameters<typeof manifestAnnotations>[0];
  expect(manifestAnnotations(undefined)).toEqual({});
  expect(manifestAnnotations(source)).toEqual({ "org.opencontainers.image.revision": "aaaa" });
  const changed = { ...source, lastChange: "bbbb" } as Parameters<typeof manifestAnnotations>[0];
  expect(manifestAnnotations(changed)).toEqual({ "org.opencontainers.image.revision": "bbbb" });
});

it("inherits from a base what does not describe the base itself", () => {
  expect(
    inheritedLabels({
      site: "here",
      "org.opencontainers.image.title": "base",
      "org.label-schema.name": "base",
    }),
  ).toEqual({ site: "here" });
  expect(inheritedLabels(undefined)).toEqual({});
});
