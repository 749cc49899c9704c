import { expect, it } from "vitest";
import { defaultBasePackages } from "../../../src/base/debian/defaultPackages.ts";
import { type BaseConfiguration, defaultConfiguration } from "../../../src/definitions/configuration.ts";
import { baseSpec, nameOfBase } from "../../../src/pipeline/base/baseSpec.ts";

it("has the usual packages unless others are configured", () => {
  const { base } = defaultConfiguration("/");
  expect(baseSpec(base)).toMatchObject({ kind: "debian", packages: defaultBasePackages });
  expect(baseSpec({ ...base, packages: ["bash"] } as BaseConfiguration)).toMatchObject({
    packages: ["bash"],
  });
});

it.each([
  [{ kind: "debian", distribution: "ubuntu", suite: "noble" }, "ubuntu:noble (2 packages)"],
  [{ kind: "image", reference: "ghcr.io/some/base:1" }, "ghcr.io/some/base:1"],
  [{ kind: "rootfs", path: "base.tar" }, "rootfs"],
  [{ kind: "scratch" }, "scratch"],
])("%j is named %s", (base, name) => {
  const packages = [{ name: "a" }, { name: "b" }] as unknown as Parameters<typeof nameOfBase>[1]["packages"];
  expect(nameOfBase(base as unknown as BaseConfiguration, { packages })).toBe(name);
});
