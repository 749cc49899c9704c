import { expect, test } from "vitest";
import type { RunStep } from "../../../src/dockerfile/step.ts";
import { isAddress, networkOf } from "../../../src/pipeline/epilogue/stepKey.ts";

function step(network: RunStep["network"]): RunStep {
  return {
    argv: ["true"],
    script: undefined,
    env: new Map(),
    user: undefined,
    workingDirectory: "/",
    network,
    mounts: [],
  };
}

test("a command has the network only where it is allowed and not refused", () => {
  expect(networkOf(step(undefined), true)).toBe("host");
  expect(networkOf(step("none"), true)).toBe("none");
  expect(networkOf(step(undefined), false)).toBe("none");
  expect(networkOf(step("host"), false)).toBe("none");
});

test("sources that are fetched are addresses of the web", () => {
  expect(isAddress("HTTPS://example.org/a.tar")).toBe(true);
  expect(isAddress("https/a.tar")).toBe(false);
  expect(isAddress("git@example.org:a.git")).toBe(false);
});
