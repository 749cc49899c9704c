import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Entry } from "../../src/archive/entry.ts";
import { openPlainHeaders } from "../../src/archive/plainHeaders.ts";
import { blockSize } from "../../src/archive/tarHeader.ts";
import { formatEntryHeader } from "../../src/archive/writeTar.ts";
import { entry } from "./tarArchives.ts";

const owner = { mode: 0o755, uid: 0, gid: 0, mtime: 315_619_200 };
const directory = (path: string): Entry => ({ type: "directory", path, ...owner });

describe("openPlainHeaders", () => {
  it("writes what formatEntryHeader writes, for all headers of one block", () => {
    const write = openPlainHeaders();
    fc.assert(
      fc.property(entry, fc.nat({ max: 700 }), ({ facts }, at) => {
        const whole = formatEntryHeader(facts);
        const into = Buffer.alloc(2000, 0xaa);
        expect(write(facts, into, at)).toBe(whole.length === blockSize);
        const expected = Buffer.alloc(2000, 0xaa);
        if (whole.length === blockSize) whole.copy(expected, at);
        expect(into.equals(expected)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([99, 100, 101, 155, 156, 255, 256, 257])("does so with names around the limits: %d", (length) => {
    const write = openPlainHeaders();
    for (const slash of [0, 1, 50, 99, 100, 101, 153, 154, 155, 156, length - 3, length - 2]) {
      if (slash < 0 || slash > length - 2) continue;
      const name =
        slash === 0 ? "x".repeat(length) : `${"p".repeat(slash)}/${"n".repeat(length - slash - 1)}`;
      const facts: readonly Entry[] = [
        directory(name.slice(0, -1)),
        { ...directory(name), type: "symlink", target: name },
        { ...directory(name), type: "symlink", target: "t" },
      ];
      for (const one of facts) {
        const whole = formatEntryHeader(one);
        const into = Buffer.alloc(blockSize);
        expect(write(one, into, 0)).toBe(whole.length === blockSize);
        if (whole.length === blockSize) expect(into.equals(whole)).toBe(true);
      }
    }
  });

  it("keeps few templates, however many times there are", () => {
    const write = openPlainHeaders();
    const into = Buffer.alloc(blockSize);
    for (let mtime = 0; mtime < 1000; mtime++) {
      const one = { ...directory("a"), mtime };
      expect(write(one, into, 0)).toBe(true);
      expect(into.equals(formatEntryHeader(one))).toBe(true);
    }
  });

  it("leaves entries with extended attributes alone", () => {
    const one = { ...directory("a"), xattrs: new Map([["user.a", Buffer.from("b")]]) };
    expect(openPlainHeaders()(one, Buffer.alloc(blockSize), 0)).toBe(false);
  });
});
