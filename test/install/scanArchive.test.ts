import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPackageArchive } from "../../src/install/packageArchive.ts";
import { scanArchive } from "../../src/install/scanArchive.ts";
import {
  buildPackage,
  buildPackageTar,
  buildTar,
  type PackageRecipe,
  type TarMember,
} from "../support/tarBuilder.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "scan-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const prefix = "/old/root/zlib-1.3-abc";
const place = { spec: "zlib@1.3/abcdefg" };

function recipe(members: readonly TarMember[], more: Partial<PackageRecipe> = {}): PackageRecipe {
  const buildinfo = { buildpath: "/old/root", hash_to_prefix: { abc: prefix }, ...more.buildinfo };
  return { prefix, members, ...more, buildinfo };
}

function scanBytes(bytes: Uint8Array) {
  const path = join(folder, "archive.spack");
  writeFileSync(path, bytes);
  return scanFile(path);
}

async function scanFile(path: string) {
  return scanArchive(await openPackageArchive(path, { place }));
}

const inside = prefix.slice(1);
const good: TarMember[] = [
  { name: "lib", type: "5" },
  { name: "lib/libz.so.1", body: "ELF", mode: 0o755 },
  { name: "lib/libz.so", type: "2", link: "libz.so.1" },
  { name: "lib/again", type: "1", link: "lib/libz.so.1" },
  { name: "lib/more", type: "1", link: "lib/again" },
];

describe("scanArchive", () => {
  it("tells what is in an archive", async () => {
    const facts = await scanBytes(
      buildPackage(recipe(good, { buildinfo: { relocate_textfiles: ["lib/again"] } })),
    );
    expect(facts.prefix).toBe(inside);
    expect(facts.buildinfo.textFiles).toEqual(["lib/again"]);
    expect([...facts.members]).toEqual([
      ["lib", { type: "directory", size: 0, mode: 0o755 }],
      ["lib/libz.so.1", { type: "file", size: 3, mode: 0o755 }],
      ["lib/libz.so", { type: "symlink", size: 0, mode: 0o644, target: "libz.so.1" }],
      ["lib/again", { type: "hardlink", size: 0, mode: 0o644, target: "lib/libz.so.1" }],
      ["lib/more", { type: "hardlink", size: 0, mode: 0o644, target: "lib/libz.so.1" }],
      [".spack", { type: "directory", size: 0, mode: 0o755 }],
      [".spack/binary_distribution", expect.objectContaining({ type: "file" })],
    ]);
  });

  it("allows what Spack writes: absolute links, links to other packages, names of any bytes", async () => {
    const facts = await scanBytes(
      buildPackage(
        recipe([
          { name: "a", type: "2", link: "/etc/passwd" },
          { name: "b", type: "2", link: "../../other-1.0-xyz/lib" },
          { name: "caf\xe9", body: "x" },
          { name: `${"long/".repeat(40)}name`, body: "x" },
        ]),
      ),
    );
    expect(facts.members.has("caf\udce9")).toBe(true);
    expect(facts.members.has(`${"long/".repeat(40)}name`)).toBe(true);
  });

  const unsafe: Record<
    string,
    [Partial<PackageRecipe> & { readonly members?: TarMember[] }, string, string]
  > = {
    "an absolute name": [{ raw: [{ name: "/etc/cron.d/x" }] }, "ARCHIVE_UNSAFE", "/etc/cron.d/x"],
    "a name with ..": [{ raw: [{ name: `${inside}/../../x` }] }, "ARCHIVE_UNSAFE", ".."],
    "a file outside of the prefix": [{ raw: [{ name: "old/root/x" }] }, "ARCHIVE_UNSAFE", "old/root/x"],
    "a prefix that only begins alike": [
      { raw: [{ name: `${inside}-evil`, type: "5" }, { name: `${inside}-evil/x` }] },
      "ARCHIVE_UNSAFE",
      "-evil",
    ],
    "a device": [{ members: [{ name: "null", type: "3" }] }, "ARCHIVE_UNSAFE", "null"],
    "a FIFO": [{ members: [{ name: "pipe", type: "6" }] }, "ARCHIVE_UNSAFE", "pipe"],
    "a relative link above the root": [
      { members: [{ name: "x", type: "2", link: "../../../../etc/passwd" }] },
      "ARCHIVE_UNSAFE",
      "/x",
    ],
    "a file below a link": [
      { members: [{ name: "x", type: "2", link: "/etc" }], raw: [{ name: `${inside}/x/passwd` }] },
      "ARCHIVE_UNSAFE",
      "x/passwd",
    ],
    "a file below a file": [
      { members: [{ name: "x" }], raw: [{ name: `${inside}/x/y` }] },
      "ARCHIVE_UNSAFE",
      "x/y",
    ],
    "a name that comes twice": [{ members: [{ name: "x" }, { name: "x" }] }, "ARCHIVE_UNSAFE", "/x"],
    "a file over a directory": [
      { members: [{ name: "lib", type: "5" }, { name: "lib" }] },
      "ARCHIVE_UNSAFE",
      "lib",
    ],
    "a hard link to nothing": [{ members: [{ name: "x", type: "1", link: "y" }] }, "ARCHIVE_UNSAFE", "/x"],
    "a hard link to a directory": [
      {
        members: [
          { name: "lib", type: "5" },
          { name: "x", type: "1", link: "lib" },
        ],
      },
      "ARCHIVE_UNSAFE",
      "/x",
    ],
    "a hard link to a link": [
      {
        members: [
          { name: "l", type: "2", link: "/etc/shadow" },
          { name: "x", type: "1", link: "l" },
        ],
      },
      "ARCHIVE_UNSAFE",
      "/x",
    ],
    "a hard link to an absolute name": [
      { raw: [{ name: `${inside}/x`, type: "1", link: "/etc/shadow" }] },
      "ARCHIVE_UNSAFE",
      "shadow",
    ],
    "a file whose directory is missing": [{ raw: [{ name: `${inside}/no/x` }] }, "ARCHIVE_INVALID", "no/x"],
    "a listed file that is missing": [
      { buildinfo: { relocate_binaries: ["bin/x"] } },
      "BUILDINFO_INVALID",
      "bin/x",
    ],
    "a listed file that is a link": [
      { members: good, buildinfo: { relocate_textfiles: ["lib/libz.so"] } },
      "BUILDINFO_INVALID",
      "lib/libz.so",
    ],
  };
  for (const [what, [more, code, name]] of Object.entries(unsafe)) {
    it(`refuses ${what}`, async () => {
      const archive = buildPackage(recipe(more.members ?? [], more));
      await expect(scanBytes(archive)).rejects.toMatchObject({
        code,
        message: expect.stringContaining(name),
        place,
      });
    });
  }

  const whole = buildPackageTar(recipe([...good, { name: "big", body: Buffer.alloc(100_000, "x") }]));
  const broken: Record<string, Buffer> = {
    "what is not gzip": Buffer.from("PK something"),
    nothing: Buffer.alloc(0),
    "a truncated gzip": gzipSync(whole).subarray(0, -5),
    "a truncated tar": gzipSync(whole.subarray(0, whole.length - 60_000)),
    "a tar without its end": gzipSync(whole.subarray(0, -1024)),
    "a tar with something behind": gzipSync(Buffer.concat([whole, Buffer.from("more")])),
    "a gzip with something behind": Buffer.concat([gzipSync(whole), Buffer.from("more")]),
    "a damaged header": gzipSync(
      Buffer.concat([whole.subarray(0, 20), Buffer.from("x"), whole.subarray(21)]),
    ),
    "an archive of something else": gzipSync(buildTar([{ name: "x" }])),
    "a note that is not a file's": gzipSync(
      buildTar([
        { name: "x", type: "5" },
        { name: "x/.spack", type: "5" },
        { name: "x/.spack/binary_distribution", type: "5" },
      ]),
    ),
    "a note at the top": gzipSync(
      buildTar([
        { name: ".spack", type: "5" },
        { name: ".spack/binary_distribution", body: "{}" },
      ]),
    ),
    "a huge extended header": gzipSync(
      buildTar([{ name: "x", type: "x", body: Buffer.alloc(200_000) }, { name: "y" }]),
    ),
    "a file that says it is enormous": gzipSync(buildTar([{ name: "x", size: 2 ** 32 }])),
  };
  for (const [what, archive] of Object.entries(broken)) {
    it(`refuses ${what}`, async () => {
      await expect(scanBytes(archive)).rejects.toMatchObject({ code: "ARCHIVE_INVALID", place });
    });
  }

  it("says so when the archive is not there", async () => {
    await expect(scanFile(join(folder, "nothing.spack"))).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });
});
