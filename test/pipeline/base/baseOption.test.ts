import { describe, expect, it } from "vitest";
import { parseBaseOption } from "../../../src/pipeline/base/baseOption.ts";

const configured = { kind: "scratch" } as const;
const parsed = (text: string) => parseBaseOption(text, configured, "/work");

describe("--base", () => {
  it.each([
    ["scratch", { kind: "scratch" }],
    ["debian:trixie", { kind: "debian", distribution: "debian", suite: "trixie" }],
    ["image:debian:12", { kind: "image", reference: "debian:12" }],
    ["docker://debian:12", { kind: "image", reference: "debian:12" }],
    ["oci:layout", { kind: "oci", path: "/work/layout" }],
    ["oci:layout:1.0", { kind: "oci", path: "/work/layout", reference: "1.0" }],
    ["oci-archive:/a.tar", { kind: "oci", path: "/a.tar" }],
    ["oci-archive:a.tar:x", { kind: "oci", path: "/work/a.tar", reference: "x" }],
    ["rootfs:root.tar.gz", { kind: "rootfs", path: "/work/root.tar.gz" }],
    ["rootfs:image.sif", { kind: "rootfs", path: "/work/image.sif" }],
  ])("%s", (text, base) => expect(parsed(text)).toMatchObject(base));

  it.each([
    ["docker-archive:a.tar", /skopeo copy docker-archive:a\.tar oci:DIR/],
    ["image.sif", /rootfs:FILE \(a tar, SIF or squashfs file\)/],
    ["docker://", /docker|image:NAME/],
    ["oci:", /oci:DIR/],
    ["fedora:40", /debian:SUITE/],
  ])("refuses %s with a hint", (text, hint) => {
    expect(() => parsed(text)).toThrow(
      expect.objectContaining({ code: "USAGE", hint: expect.stringMatching(hint) }),
    );
  });
});
