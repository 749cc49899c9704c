import { describe, expect, it } from "vitest";
import { spackRef } from "../../../src/commands/migrate/spackRef.ts";
import { baseOfImage, installLine } from "../../../src/pipeline/base/baseOfImage.ts";

describe("baseOfImage", () => {
  it.each([
    ["ubuntu:24.04", "ubuntu", "noble"],
    ["docker.io/library/debian:12-slim", "debian", "bookworm"],
    ["debian:bookworm-20240110-slim", "debian", "bookworm"],
    ["debian:12.5", "debian", "bookworm"],
    ["ubuntu", "ubuntu", "noble"],
    ["spack/ubuntu-jammy:v0.23.1", "ubuntu", "jammy"],
  ])("%s is a suite", (name, kind, value) => {
    expect(baseOfImage(name).base).toEqual({ kind, value, packages: undefined });
  });

  it.each([
    ["rockylinux:9", "docker.io/library/rockylinux:9"],
    ["nvidia/cuda:12.4.1-runtime-ubuntu22.04", "docker.io/nvidia/cuda:12.4.1-runtime-ubuntu22.04"],
    ["ghcr.io/org/base:1", "ghcr.io/org/base:1"],
    ["localhost:5000/base", "localhost:5000/base"],
    ["spack/rockylinux9:develop", "docker.io/library/rockylinux:9"],
    ["debian:not-a-suite", "docker.io/library/debian:not-a-suite"],
  ])("%s is an image", (name, value) => {
    expect(baseOfImage(name).base).toEqual({ kind: "image", value, packages: undefined });
  });

  it("keeps what is pinned by its digest", () => {
    const pinned = `ubuntu:24.04@sha256:${"0".repeat(64)}`;
    expect(baseOfImage(pinned).base).toMatchObject({ kind: "image", value: `docker.io/library/${pinned}` });
  });

  it("knows which Spack is in one of Spack's images", () => {
    expect(baseOfImage("spack/ubuntu-jammy:0.23").spackTag).toBe("0.23");
    expect([spackRef("0.23"), spackRef("1.1.0"), spackRef("latest"), spackRef("v1.0.0")]).toEqual([
      "releases/v0.23",
      "v1.1.0",
      "develop",
      "v1.0.0",
    ]);
  });
});

describe("installLine", () => {
  it("uses the image's own package manager, and none that is not known", () => {
    expect(installLine("docker.io/library/rockylinux:9", ["vim"])).toMatch(/^RUN dnf install .*vim/);
    expect(installLine("docker.io/library/alpine:3", ["vim"])).toBe("RUN apk add --no-cache vim");
    expect(installLine("ghcr.io/org/base:1", ["vim"])).toBeUndefined();
    expect(installLine("ghcr.io/org/base:1", ["vim"], "zypper")).toMatch(/^RUN zypper/);
  });
});
