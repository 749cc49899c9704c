import { expect, test } from "vitest";
import { completeBuilding } from "../../../src/pipeline/workspace/buildingRequest.ts";

test("what is left out is as configured", () => {
  expect(completeBuilding({}, false)).toMatchObject({
    allowed: undefined,
    solve: false,
    onFailure: "finish",
  });
});

test("who asks Spack to choose, or for no image, wants it built", () => {
  expect(completeBuilding({ fresh: true }, false)).toMatchObject({ allowed: true, solve: true });
  expect(completeBuilding({ onlyDependencies: true }, false).allowed).toBe(true);
  expect(completeBuilding({ until: "configure" }, false).allowed).toBe(true);
  expect(completeBuilding({ fresh: true, allowed: false }, false).allowed).toBe(false);
});

test("frozen locks allow nothing to be built", () => {
  expect(completeBuilding({ allowed: true, solve: true }, true).allowed).toBe(false);
});
