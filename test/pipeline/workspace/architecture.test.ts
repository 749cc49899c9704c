import { expect, it } from "vitest";
import { asArchitecture } from "../../../src/pipeline/workspace/architecture.ts";

it("takes the architectures that are built, and none", () => {
  expect(asArchitecture(undefined)).toBeUndefined();
  expect(asArchitecture("arm64")).toBe("arm64");
  expect(() => asArchitecture("riscv64")).toThrow(
    expect.objectContaining({ code: "USAGE", hint: "known are amd64 and arm64" }),
  );
});
