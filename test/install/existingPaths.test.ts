import { describe, expect, it } from "vitest";
import { existingPaths } from "../../src/install/existingPaths.ts";
import type { ArchiveMember } from "../../src/install/scanArchive.ts";

function member(type: ArchiveMember["type"], target?: string): ArchiveMember {
  return { type, size: 0, mode: 0o755, ...(target === undefined ? {} : { target }) };
}

const exists = existingPaths({
  ownPrefix: "/sw/own",
  members: new Map([
    ["lib", member("directory")],
    ["lib/x.so", member("file")],
    ["lib64", member("symlink", "lib")],
    ["up", member("symlink", "../own/lib")],
    ["other", member("symlink", "/sw/dep/lib")],
    ["gone", member("symlink", "/sw/nobody")],
    ["loop", member("symlink", "loop")],
  ]),
  otherPrefixes: ["/sw/dep"],
  root: "/sw",
});

describe("existingPaths", () => {
  for (const path of [
    "/sw/own",
    "/sw/own/lib",
    "/sw/own/lib/",
    "//sw/./own/lib/x.so",
    "/sw/own/lib64",
    "/sw/own/lib64/x.so",
    "/sw/own/up/x.so",
    "/sw/own/lib/../lib64/../lib",
    "/sw/own/other/anything",
    "/sw/own/gone",
    "/sw/own/loop",
    "/sw/dep/lib",
    "/sw/dep",
    "/sw",
    "/",
    "/usr/lib/x86_64-linux-gnu",
    "/swap",
    "/sw/own/../dep/lib",
  ]) {
    it(`${path} exists`, () => expect(exists(path)).toBe(true));
  }
  for (const path of [
    "/sw/own/lib32",
    "/sw/own/lib/x.so/y",
    "/sw/own/lib64/y",
    "/sw/own/loop/x",
    "/sw/own/gone/x",
    "/sw/own/../nobody/lib",
    "/sw/nobody/lib",
    "/sw/ownother",
  ]) {
    it(`${path} does not`, () => expect(exists(path)).toBe(false));
  }
});
