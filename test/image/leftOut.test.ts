import { describe, expect, it } from "vitest";
import { LeftOut } from "../../src/image/leftOut.ts";

const dressed = (path: string) => ({
  path,
  xattrs: new Map([
    ["user.b", Buffer.from("1")],
    ["user.a", Buffer.from("1")],
  ]),
});

describe("what is left out of layers", () => {
  it("is nothing where there was nothing", () => {
    const leftOut = new LeftOut();
    leftOut.noteEntry({ path: "a" });
    expect(leftOut.message("the directory")).toBeUndefined();
  });

  it("is devices, FIFOs and attributes, sorted, a few of them by name", () => {
    const leftOut = new LeftOut();
    for (const path of ["z", "y", "x", "w", "v", "u", "dev/\u001b[0m"]) leftOut.noteSpecial(path);
    leftOut.noteEntry(dressed("bin/ping"));
    const message = leftOut.message("the directory") ?? "";
    expect(message).toMatch(/devices and FIFOs \("dev\/.*", "u", "v", "w", "x", and 2 more\)/);
    expect(message).toMatch(/ and extended attributes \("user\.a, user\.b of bin\/ping"\)$/);
    expect(message).not.toContain("\u001b");
  });

  it("is what later layers leave: neither what they replace nor what they hide", () => {
    const leftOut = new LeftOut();
    leftOut.noteSpecial("a/fifo");
    leftOut.noteSpecial("b/c/fifo");
    leftOut.noteSpecial("replaced");
    for (const path of ["a/one", "b/two", "c/three", "d"]) leftOut.noteEntry(dressed(path));
    for (const path of ["a/.wh..wh..opq", ".wh.b", "c/.wh.three", "replaced", "d"])
      leftOut.noteEntry({ path });
    expect(leftOut.message("the directory")).toBeUndefined();
  });
});
