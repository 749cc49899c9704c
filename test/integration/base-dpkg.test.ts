/** Our reading of Debian's rules against the tools that make them: dpkg and apt, where this machine has them. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareDebianVersions } from "../../src/base/debian/debianVersion.ts";
import { compactPackages, openPackageIndex, type PackageIndex } from "../../src/base/debian/packagesIndex.ts";
import { resolveDebs } from "../../src/base/debian/resolveDebs.ts";

const hasDpkg = spawnSync("dpkg", ["--version"]).status === 0;
const lists = "/var/lib/apt/lists";
const helper = "/usr/lib/apt/apt-helper";
const indexFiles = aptIndexes();
const architecture = hasDpkg
  ? execFileSync("dpkg", ["--print-architecture"], { encoding: "utf8" }).trim()
  : "";

/** Files of the package indexes that apt has now. */
function aptIndexes(): string[] {
  try {
    return readdirSync(lists)
      .filter((name) => /_binary-\w+_Packages(?:\.\w+)?$/.test(name))
      .sort()
      .map((name) => join(lists, name));
  } catch {
    return [];
  }
}

describe.skipIf(!hasDpkg)("dpkg --compare-versions (skipped: no dpkg here)", () => {
  test("orders versions as we do", () => {
    const part = fc.string({ unit: fc.constantFrom("0", "1", "9", "a", "Z", "~", "+", "."), maxLength: 6 });
    const version = fc
      .tuple(fc.constantFrom("", "0:", "1:", "10:"), part, fc.option(part, { nil: undefined }))
      .map(([epoch, upstream, revision]) =>
        revision === undefined || revision === ""
          ? `${epoch}1${upstream}`
          : `${epoch}1${upstream}-${revision}`,
      );
    fc.assert(
      fc.property(version, version, (a, b) => {
        const relation =
          compareDebianVersions(a, b) < 0 ? "lt" : compareDebianVersions(a, b) > 0 ? "gt" : "eq";
        expect(
          spawnSync("dpkg", ["--compare-versions", a, relation, b]).status,
          `${a} ${relation} ${b}`,
        ).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

describe.skipIf(indexFiles.length === 0)(
  "apt-get install --simulate (skipped: no package lists of apt here)",
  () => {
    let index: PackageIndex | undefined;

    async function open(): Promise<PackageIndex> {
      if (index !== undefined) return index;
      const texts: string[] = [];
      for (const path of indexFiles) {
        const bytes = execFileSync(helper, ["cat-file", path], { maxBuffer: 2 ** 30 });
        const parts: string[] = [];
        async function* chunks() {
          yield bytes;
        }
        for await (const part of compactPackages(chunks(), {})) parts.push(part);
        texts.push(parts.join(""));
      }
      index = openPackageIndex(texts);
      return index;
    }

    function apt(wanted: readonly string[]): string[] {
      const folder = mkdtempSync(join(tmpdir(), "apt-"));
      try {
        const status = join(folder, "status");
        writeFileSync(status, "");
        const output = execFileSync(
          "apt-get",
          ["install", "-s", "--no-install-recommends", "-o", `Dir::State::status=${status}`, ...wanted],
          { encoding: "utf8", maxBuffer: 2 ** 28, stdio: ["ignore", "pipe", "ignore"] },
        );
        return [...output.matchAll(/^Inst (\S+) \((\S+)/gm)]
          .map(([, name, version]) => `${name} ${version}`)
          .sort();
      } finally {
        rmSync(folder, { recursive: true });
      }
    }

    test.each([
      "bash coreutils libc-bin grep sed findutils hostname base-files",
      "libopenmpi3 mpich",
      "python3-numpy",
      "systemd openssh-server",
      "mmdebstrap",
      "cmake g++ gfortran",
      "gnome-core",
    ])("chooses the same packages for %s", async (text) => {
      const wanted = text.split(" ");
      const chosen = resolveDebs(await open(), wanted, { architecture, assumed: [], prefer: [] });
      expect(chosen.map(({ name, version }) => `${name} ${version}`).sort()).toEqual(apt(wanted));
    });
  },
);
