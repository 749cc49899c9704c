import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { listAr } from "../../src/archive/ar.ts";
import { ar } from "./makeDeb.ts";

function list(bytes: Uint8Array) {
  return listAr((offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)), bytes.length);
}

describe("listAr", () => {
  test("finds members, odd sizes padded", async () => {
    const bytes = ar([
      ["debian-binary", Buffer.from("2.0\n")],
      ["odd", Buffer.from("abc")],
      ["last/", Buffer.from("x")],
    ]);
    const members = await list(bytes);
    expect(members.map(({ name }) => name)).toEqual(["debian-binary", "odd", "last"]);
    expect(members.map(({ offset, size }) => bytes.toString("latin1", offset, offset + size))).toEqual([
      "2.0\n",
      "abc",
      "x",
    ]);
  });

  test("knows the long names of GNU and BSD", async () => {
    const bytes = ar([
      ["/", Buffer.from("symbols")],
      ["//", Buffer.from("a-rather-long-name.o/\nanother/\n")],
      ["/0", Buffer.from("1")],
      ["/22", Buffer.from("22")],
      ["#1/8", Buffer.from("bsd-name333")],
    ]);
    expect((await list(bytes)).map(({ name, size }) => [name, size])).toEqual([
      ["a-rather-long-name.o", 1],
      ["another", 2],
      ["bsd-name", 3],
    ]);
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["other data", Buffer.from("!<arch>?")],
    ["a header cut off", ar([["a", Buffer.from("xx")]]).subarray(0, 40)],
    ["a member cut off", ar([["a", Buffer.from("xxxx")]]).subarray(0, -2)],
    ["no member", Buffer.concat([ar([]), Buffer.alloc(60)])],
    ["a missing long name", ar([["/7", Buffer.from("x")]])],
    ["a name longer than the member", ar([["#1/9", Buffer.from("x")]])],
  ])("refuses %s", async (_, bytes) => {
    await expect(list(bytes)).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });

  test.each(["../x", "a/b", "..", ".", "/"])("refuses a member named %j", async (name) => {
    const table = Buffer.from(`${name}\n`);
    await expect(
      list(
        ar([
          ["//", table],
          ["/0", Buffer.from("x")],
        ]),
      ),
    ).rejects.toMatchObject({ code: "ARCHIVE_UNSAFE" });
  });

  test("a size that is no number", async () => {
    const bytes = ar([["a", Buffer.from("x")]]);
    bytes.write("-1        ", 8 + 48, "latin1");
    await expect(list(bytes)).rejects.toThrow(/not a number/);
  });

  test("never reads outside of the file", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(200), fc.nat(255), async (at, value) => {
        const bytes = ar([
          ["debian-binary", Buffer.from("2.0\n")],
          ["data", Buffer.alloc(50)],
        ]);
        if (at < bytes.length) bytes[at] = value;
        const members = await list(bytes).catch(() => []);
        for (const { offset, size } of members) expect(offset + size).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});
