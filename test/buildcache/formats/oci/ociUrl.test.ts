import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashOfTag, packageTag } from "../../../../src/buildcache/formats/oci/ociPackage.ts";
import { parseOciUrl } from "../../../../src/buildcache/formats/oci/ociUrl.ts";
import { isTag } from "../../../../src/registry/reference.ts";
import { parseDagHash } from "../../../../src/spec/concrete.ts";
import { syntheticHash } from "../../../support/syntheticIndex.ts";

describe("parseOciUrl", () => {
  it.each([
    ["oci://ghcr.io/Group/Cache", "ghcr.io", "group/cache", "https"],
    ["oci://ghcr.io/group/cache/", "ghcr.io", "group/cache", "https"],
    ["oci://127.0.0.1:5000/c", "127.0.0.1:5000", "c", "https"],
    ["oci+http://127.0.0.1:5000/a/b", "127.0.0.1:5000", "a/b", "http"],
    ["oci+http://localhost/c", "localhost", "c", "http"],
    ["oci://group/cache", "docker.io", "group/cache", "https"],
  ])("reads %s", (url, host, path, scheme) => {
    expect(parseOciUrl(url)).toEqual({ name: { host, path }, scheme });
  });

  it.each([
    "oci://",
    "oci://ghcr.io/c:tag",
    "oci://ghcr.io/a//b",
    "oci+http://ghcr.io/c",
    "oci+http://10.0.0.1/c",
  ])("refuses %s", (url) => {
    expect(() => parseOciUrl(url)).toThrow(expect.objectContaining({ code: "CACHE_UNAVAILABLE" }));
  });

  it("shows no password", () => {
    expect(() => parseOciUrl("oci://user:canary@ghcr.io/c")).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("canary") }),
    );
  });
});

describe("packageTag", () => {
  it("is a tag for every package, from which its hash can be told", () => {
    const name = fc.stringMatching(/^[a-z0-9_][a-z0-9_.+-]{0,150}$/);
    const version = fc.stringMatching(/^[A-Za-z0-9_.=/-]{1,60}$/);
    fc.assert(
      fc.property(name, version, fc.integer({ min: 0, max: 1000 }), (packageName, packageVersion, number) => {
        const hash = parseDagHash(syntheticHash(number));
        if (hash === undefined) throw new Error("no hash");
        const tag = packageTag({ name: packageName, version: packageVersion, hash });
        expect(isTag(tag)).toBe(true);
        expect(hashOfTag(tag)).toBe(hash);
      }),
    );
  });

  it("tells packages from the index and from images", () => {
    for (const tag of ["index.spack", "latest", `zlib-1.3-${syntheticHash(1)}`])
      expect(hashOfTag(tag)).toBeUndefined();
  });
});
