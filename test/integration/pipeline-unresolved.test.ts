import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorkplace } from "../support/cli.ts";
import { digestOfBuild, expectRefusal } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { snapshot } from "../support/fileSnapshot.ts";

const work = makeWorkplace();
afterAll(() => work.remove());

/** What the demonstration needs of a base. */
const needed = [
  "libc.so.6",
  "libm.so.6",
  "ld-linux-x86-64.so.2",
  "/lib64/ld-linux-x86-64.so.2",
  "/usr/bin/bash",
  "/usr/bin/perl",
  "glibc 2.36",
];
const allow = (names: readonly string[]): string[] => names.flatMap((name) => ["--allow-unresolved", name]);
const build = ["build", "hello-mpi", "--output", "oci:image"];

describe("an image without a base", () => {
  beforeAll(() => {
    makeDemoRepository(work);
    const text = readFileSync(work.path("spacktainers.yaml"), "utf8");
    writeFileSync(work.path("spacktainers.yaml"), text.replace(/^linkage:.*\n/m, ""));
  });

  it("is refused with all that it lacks, for each package, with what has it", async () => {
    const { status, stdout, stderr } = await work.run([...build, "--quiet"]);
    expect(stdout).toBe("");
    expect(status).toBe(1);
    const errors = stderr.split("\n").filter((line) => line.includes("  error  "));
    for (const name of needed) expect(stderr).toContain(`allow-unresolved: [${JSON.stringify(name)}]`);
    expect(errors.map((line) => line.replace(/^(\w[\w-]*)@.* {2}error {2}(\S+) .*/, "$1 $2"))).toEqual(
      expect.arrayContaining([
        "gcc-runtime LINKAGE_UNRESOLVED",
        "glibc LIBC_TOO_OLD",
        "mpich LINKAGE_UNRESOLVED",
        "ring LINKAGE_UNRESOLVED",
      ]),
    );
    expect(stderr).toMatch(
      /\/bin\/ring needs libc\.so\.6, which is not in the image\n {2}hint: .*Debian package libc6/,
    );
    expect(stderr).toMatch(/\/bin\/parkill starts with \/usr\/bin\/perl.*\n {2}hint: .*Debian package perl/);
    expect(stderr).toContain("the packages need glibc 2.36, and the base has no glibc");
    expect(snapshot(work.path("image"))).toEqual([]);
  });

  it.each([
    ["/usr/bin/perl", "LINKAGE_UNRESOLVED", /^mpich@.*parkill starts with \/usr\/bin\/perl/],
    ["glibc 2.36", "LIBC_TOO_OLD", /^glibc@2\.36/],
  ])("is refused when %s alone is not allowed", async (name, code, says) => {
    const others = allow(needed.filter((one) => one !== name));
    expectRefusal(await work.run([...build, "--quiet", ...others]), { code, status: 1, says, hint: name });
  });

  it("is built when all of it is allowed by name, on the command line or in the configuration", async () => {
    const digest = digestOfBuild(await work.run([...build, "--json", ...allow(needed)]));
    const before = snapshot(work.path("image"));
    // Not allowed any more: refused, and the image stays.
    expect((await work.run([...build, "--quiet"])).status).toBe(1);
    expect(snapshot(work.path("image"))).toEqual(before);
    const text = readFileSync(work.path("spacktainers.yaml"), "utf8");
    const names = JSON.stringify(needed);
    writeFileSync(work.path("spacktainers.yaml"), `${text}linkage: {allow-unresolved: ${names}}\n`);
    expect(digestOfBuild(await work.run([...build, "--json"]))).toBe(digest);
  });
});
