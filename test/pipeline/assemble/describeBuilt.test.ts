import { describe, expect, test } from "vitest";
import { packagesIn, publicUrl } from "../../../src/pipeline/assemble/describeBuilt.ts";

describe("publicUrl", () => {
  test("an address is published without its credentials", () => {
    expect(publicUrl("https://me:secret@cache.example/v3")).not.toContain("secret");
    expect(publicUrl("https://cache.example/v3")).toBe("https://cache.example/v3");
    expect(publicUrl("s3://bucket/cache")).toBe("s3://bucket/cache");
  });

  test.each(["/srv/cache", "file:///srv/cache", "http://localhost:8080/cache", "http://127.0.0.1/cache"])(
    "%s is of this machine",
    (address) => {
      expect(publicUrl(address)).toBeUndefined();
    },
  );
});

test("packagesIn reads the hashes of an annotation and leaves out what is none", () => {
  const hash = "a".repeat(32);
  expect(packagesIn(`zlib/${hash} nothing other/short`)).toEqual([hash]);
  expect(packagesIn(undefined)).toEqual([]);
});
