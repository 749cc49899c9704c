import { describe, expect, it } from "vitest";
import { asSpacktainersError, formatPlace, SpacktainersError } from "../../src/util/errors.ts";

function systemError(code: string, more: object): Error {
  return Object.assign(new Error(`${code}: something`), { code, ...more });
}

describe("errors of the system as ours", () => {
  it("names the file, and the finished one where we write a temporary", () => {
    const temporary = "/out/.tmp-node-1-12-0123456789ab";
    const full = (path: string, place = {}): string =>
      formatPlace(asSpacktainersError(systemError("ENOSPC", { path }), place).place);
    expect(full("/out/image")).toBe("/out/image");
    expect(full(`${temporary}/etc/passwd`, { file: "/out/image" })).toBe("/out/image");
    expect(full(`${temporary}/etc/passwd`, { file: temporary })).toBe("/out");
    expect(full(temporary)).toBe("/out");
    expect(full("/.tmp-node-1-12-0123456789ab")).toBe("/");
    expect(full("/out/.tmp-others", { file: "/out/image" })).toBe("/out/.tmp-others");
  });

  it("names the copy that has no room, not the file that is copied", () => {
    const error = systemError("ENOSPC", { path: "/cache/blob", dest: "/out/blob" });
    expect(asSpacktainersError(error)).toMatchObject({ code: "DISK_FULL", place: { file: "/out/blob" } });
    const missing = systemError("ENOENT", { path: "/cache/blob", dest: "/out/blob" });
    expect(asSpacktainersError(missing)).toMatchObject({ code: "NOT_FOUND", place: { file: "/cache/blob" } });
  });

  it.each([
    ["EMFILE", { path: "/any", syscall: "open" }, "too many files are open for one process", "ulimit -n"],
    ["ENFILE", { path: "/any", syscall: "open" }, "too many files are open on this machine", "--jobs 1"],
    ["EFBIG", { syscall: "write" }, "the file would be larger than files may be", "ulimit -f"],
    ["EAGAIN", { syscall: "spawn node" }, "no more processes can be started", "ulimit -u"],
  ])("says which limit is reached, and what to raise: %s", (code, more, message, hint) => {
    const place = { file: "/out/image" };
    const error = asSpacktainersError(systemError(code, more), place);
    expect(error).toMatchObject({ code: "IO", message, place, hint: expect.stringContaining(hint) });
  });

  it("says that a file system is read-only", () => {
    const error = systemError("EROFS", { path: "/out/image", syscall: "open" });
    expect(asSpacktainersError(error)).toMatchObject({
      code: "ACCESS_DENIED",
      message: "the file system is read-only",
      place: { file: "/out/image" },
    });
  });

  it("keeps the place where the system names none, and what is ours as it is", () => {
    const place = { url: "https://example.org/x" };
    expect(asSpacktainersError(systemError("EDQUOT", {}), place)).toMatchObject({ code: "DISK_FULL", place });
    expect(asSpacktainersError(systemError("EIO", { syscall: "write" }), place).code).toBe("IO");
    expect(asSpacktainersError(new TypeError("oops"), place)).toMatchObject({ code: "INTERNAL", place });
    const own = new SpacktainersError("USAGE", "wrong");
    expect(asSpacktainersError(own, place)).toBe(own);
  });
});
