import { describe, expect, test } from "vitest";
import { fillPattern, registryReference } from "../../../src/pipeline/images/imageLocation.ts";

const subject = { name: "Solver", container: { arch: "arm64" }, version: "1.2" } as const;

test("a pattern is filled in; what is not known has its usual value", () => {
  expect(fillPattern("/images/{arch}/{name}-{version}.sif", subject)).toBe("/images/arm64/Solver-1.2.sif");
  expect(fillPattern("{name}:{version}", { name: "x", container: undefined, version: undefined })).toBe(
    "x:latest",
  );
  expect(fillPattern("{other}", subject)).toBe("{other}");
});

describe("registryReference", () => {
  const registry = {
    type: "oci",
    url: "https://Registry.Example/",
    repository: "Group/{name}",
    tags: ["{version}-Final", "newest"],
  } as unknown as Parameters<typeof registryReference>[0][number];

  test("is of the first registry, lower case but for the tag", () => {
    expect(registryReference([registry], subject)?.reference).toBe("registry.example/group/solver:1.2-Final");
  });

  test("takes the first tag that needs no version where there is none", () => {
    expect(registryReference([registry], { ...subject, version: undefined })?.reference).toBe(
      "registry.example/group/solver:newest",
    );
  });

  test("is none without registries", () => {
    expect(registryReference([], subject)).toBeUndefined();
  });
});
