import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { archivePrefix, headBytes } from "../../src/buildcache/archivePrefix.ts";
import { buildTar } from "../support/tarBuilder.ts";

const hash = "q".repeat(32);

/** An archive with an entry for each directory down to the deepest, then the files. */
function archive(directory: string, files: readonly string[], more: readonly string[] = []): Buffer {
  const parts = directory.split("/");
  const directories = parts.map((_, at) => parts.slice(0, at + 1).join("/"));
  return gzipSync(
    buildTar([
      ...[...directories, ...more].map((name) => ({ name, type: "5" })),
      ...files.map((name) => ({ name, body: "x" })),
    ]),
  );
}

const prefixOf = (bytes: Buffer) => archivePrefix(bytes, hash, {});

describe("archivePrefix", () => {
  const prefix = `home/sw/linux-x86_64/gcc-12/zlib-1.3-${hash}`;

  it("finds the prefix by the hash in its name, whatever comes first inside", async () => {
    expect(await prefixOf(archive(prefix, [`${prefix}/README`]))).toBe(`/${prefix}`);
    expect(await prefixOf(archive(`${prefix}/.spack`, [`${prefix}/.spack/spec.json`]))).toBe(`/${prefix}`);
    expect(await prefixOf(archive(prefix, [`${prefix}/lib/libz.a`], [`${prefix}/lib`]))).toBe(`/${prefix}`);
    const short = `sw/zlib-${hash.slice(0, 7)}`;
    expect(await prefixOf(archive(short, [`${short}/README`]))).toBe(`/${short}`);
  });

  it("finds it without a hash in the name", async () => {
    expect(await prefixOf(archive("sw/zlib/1.3", ["sw/zlib/1.3/README"]))).toBe("/sw/zlib/1.3");
    expect(await prefixOf(archive("sw/zlib/1.3/.spack", ["sw/zlib/1.3/.spack/spec.json"]))).toBe(
      "/sw/zlib/1.3",
    );
    expect(await prefixOf(archive("home/u/.spack/zlib", ["home/u/.spack/zlib/README"]))).toBe(
      "/home/u/.spack/zlib",
    );
    const inside = "home/u/.spack/zlib/.spack";
    expect(await prefixOf(archive(inside, [`${inside}/spec.json`]))).toBe("/home/u/.spack/zlib");
  });

  it("copes with very long prefixes, and needs the first bytes only", async () => {
    const long = `${Array.from({ length: 8 }, (_, at) => `__spack_path_placeholder__${at}`).join("/")}/x-${hash}`;
    const whole = gzipSync(
      buildTar([
        ...long.split("/").map((_, at, parts) => ({ name: parts.slice(0, at + 1).join("/"), type: "5" })),
        { name: `${long}/big`, body: randomBytes(200_000) },
      ]),
    );
    expect(whole.length).toBeGreaterThan(headBytes);
    expect(await prefixOf(whole.subarray(0, headBytes))).toBe(`/${long}`);
  });

  it("does not know it where the archive begins at the last component (layout 1)", async () => {
    const base = `zlib-1.3-${hash}`;
    expect(await prefixOf(archive(base, [`${base}/README`]))).toBeUndefined();
  });

  it("says so when the beginning is no archive", async () => {
    await expect(prefixOf(Buffer.from("<html>"))).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    await expect(prefixOf(gzipSync("not a tar".repeat(200)))).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
    });
  });
});
