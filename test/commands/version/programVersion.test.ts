import { describe, expect, it } from "vitest";
import { programVersion } from "../../../src/commands/version/programVersion.ts";
import { toolVersion } from "../../../src/util/toolVersion.ts";

describe("the facts of a version", () => {
  it("are the program's, Node's and the machine's", () => {
    const facts = programVersion();
    expect(facts).toMatchObject({
      version: toolVersion(),
      node: process.versions.node,
      platform: process.platform,
      arch: process.arch,
    });
    expect(facts.commit ?? "0".repeat(40)).toMatch(/^[0-9a-f]{40}$/);
    if (process.platform === "linux") expect(facts.libc ?? "glibc 2.17").toMatch(/^glibc 2\.\d+$/);
  });
});
